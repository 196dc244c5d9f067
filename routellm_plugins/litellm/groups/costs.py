"""What requests cost, beside what the strong group would have cost, among the metrics; and which
cost nothing, because LiteLLM had the answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from ..config.routes import Routes
from ..reporting.metrics import metrics
from ..reporting.routed_request import routed_request
from .router_access import RouterAccess

logger = logging.getLogger(__name__)

_PRICED_TOKENS = {
    "prompt_tokens": "input_cost_per_token",
    "completion_tokens": "output_cost_per_token",
}


_FRESH_S = 60.0
"""How long prices count. LiteLLM takes most of a millisecond to tell them."""


class Costs:
    """Counts what requests cost."""

    def __init__(self) -> None:
        self._prices: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def note(self, kwargs: Mapping[str, Any], routes: Routes, access: RouterAccess) -> None:
        """Count the cost of a request that was answered, and that of the same tokens at the strong
        group's price; neither if one of them is not known. An answer from LiteLLM's response cache
        is counted as that.

        Args:
            kwargs: what LiteLLM hands to a callback that logs a success.
            routes: the routed aliases.
            access: the Router.
        """
        payload, params = kwargs.get("standard_logging_object"), kwargs.get("litellm_params")
        routed = routed_request(params) if isinstance(params, Mapping) else None
        if routed is None or not isinstance(payload, Mapping):
            return
        try:
            route = routes.find(routed.alias)
            if route is None:
                return
            if payload.get("cache_hit"):
                metrics.note_response_hit(route.name)
                return
            cost = payload.get("response_cost")
            if not isinstance(cost, (int, float)):
                return
            # A payload is under the alias if the group that was chosen answered.
            chosen_answered = payload.get("model_group") in (routed.alias, routed.group)
            if chosen_answered and routed.decision.tier == "strong":
                always_strong: float | None = cost
            else:
                group = route.entries["strong"] or route.settings.strong
                always_strong = _cost(payload, self._prices_of(group, access))
            if always_strong is not None:
                metrics.note_costs(route.name, float(cost), always_strong)
        except Exception:
            logger.debug("what a request would have cost is not known", exc_info=True)

    def _prices_of(self, group: str, access: RouterAccess) -> Mapping[str, Any]:
        now = time.monotonic()
        read_at, prices = self._prices.get(group, (-_FRESH_S, {}))
        if now - read_at >= _FRESH_S:
            prices = access.group_info(group)
            self._prices[group] = now, prices
        return prices


def _cost(payload: Mapping[str, Any], prices: Mapping[str, Any]) -> float | None:
    """Return the dollars that the tokens of a request cost; None if they are not known."""
    total = 0.0
    for tokens, price in _PRICED_TOKENS.items():
        if prices.get(price) is None or payload.get(tokens) is None:
            return None
        total += payload[tokens] * prices[price]
    return total
