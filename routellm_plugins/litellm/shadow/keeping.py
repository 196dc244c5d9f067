"""From what LiteLLM logs of a request that succeeded to what the store keeps of it.

LiteLLM logs after the client has its answer, so that nothing here can delay or fail a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from litellm.litellm_core_utils.redact_messages import should_redact_message_logging

from routellm_core import Decision, RouteLLMError, RoutingPolicy, Tier, human_turns
from routellm_core.policy.policies import adecide, apolicy_of
from routellm_core.traffic.shadow.about import about
from routellm_core.traffic.shadow.shadow import OTHER, OtherCall, Shadow, shadow_of
from routellm_core.traffic.store import kept
from routellm_core.traffic.store.keeping import place_of

from ..config.routes import Route, Routes
from ..deciding.messages import messages_of
from ..deciding.request import Request
from ..groups.abilities import GroupAbilities
from ..groups.proxy_names import means_itself
from ..groups.router_access import RouterAccess
from ..reporting.metrics import metrics
from ..reporting.routed_request import routed_request
from .limits import key_of, override_of, own_account, picked_by
from .other_group import Prices, answer_of, any_can_answer, other_call, prices_of

logger = logging.getLogger(__name__)

_TIERS: tuple[Tier, ...] = ("strong", "weak")

_LOOK_S = 1.0
"""How often it is looked whether another policy decides; files of one are read no more often."""


@dataclass(frozen=True)
class _Keeper:
    """Keeps the requests of one route."""

    shadow: Shadow
    prices: Mapping[Tier, Prices | None]
    policy: RoutingPolicy
    """That the store was told of."""
    looked: float
    """When it was found to decide."""


class ShadowLog:
    """Keeps the requests of routes with ``shadow``, and of groups that are observed."""

    def __init__(self) -> None:
        self._routes: Routes | None = None
        self._keepers: dict[str, _Keeper] = {}
        self._abilities: GroupAbilities | None = None
        self._failed: set[str] = set()

    async def note(
        self, kwargs: Mapping[str, Any], response: Any, routes: Routes, access: RouterAccess
    ) -> None:
        """Keep a request. Never raises.

        Args:
            kwargs: what LiteLLM hands to a callback that logs a success.
            response: the answer.
            routes: of the Router.
            access: the Router.
        """
        try:
            await self._note(kwargs, response, routes, access)
        except Exception as error:
            kind = type(error).__name__
            if kind not in self._failed:
                self._failed.add(kind)
                logger.error(
                    "a request for '%s' was not kept (%s); further such failures are not logged",
                    (kwargs.get("standard_logging_object") or {}).get("model_group"),
                    place_of(error),
                )

    async def _note(
        self, kwargs: Mapping[str, Any], response: Any, routes: Routes, access: RouterAccess
    ) -> None:
        params, payload = kwargs.get("litellm_params"), kwargs.get("standard_logging_object")
        if not isinstance(params, Mapping) or not isinstance(payload, Mapping):
            return
        routed, group = routed_request(params), payload.get("model_group")
        if routed is not None:
            route = routes.find(routed.alias)
            if group == routed.alias:
                group = routed.group
        else:
            route = routes.observed.get(str(group))
        if route is None or route.settings.shadow is None:
            return
        tier = _tier_of(route, group)
        if tier is None:  # a fallback to a third group
            return
        redacted = should_redact_message_logging(dict(kwargs))
        if redacted and routed is None:  # what it would be decided on is gone
            return
        # Without a proxy there is no body, and LiteLLM logs its parameters in OpenAI's form.
        body = (params.get("proxy_server_request") or {}).get("body")
        body = (kwargs.get("optional_params") if body is None else body) or {}
        given = kwargs.get("messages")
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
        if self._abilities is None or routes is not self._routes:
            # The model list was edited, and prices and abilities perhaps.
            self._routes, self._keepers = routes, {}
            self._abilities = GroupAbilities(access)
        if routed is not None:
            decision = routed.decision
        else:
            decision = await _observed(route, params, messages, access, self._abilities)
        keeper = await self._keeper(route, access)
        shadow, call_type = keeper.shadow, str(kwargs.get("call_type"))
        asked = call_type, messages, body
        could_be = not payload.get("cache_hit") and not redacted and any_can_answer(*asked)
        could_be = could_be and await _may_call(route.settings.group(OTHER[tier]), params, routes)
        propensity = shadow.settings.sample if could_be else 0.0
        sampled = shadow.draws(propensity)
        other: OtherCall | None = None
        if sampled:
            tiers = OTHER[tier], keeper.prices[OTHER[tier]]
            limits = shadow.settings.timeout_s, picked_by(params)
            other = await other_call(*asked, route, *tiers, access, *limits)
            sampled = other is not None
            if other is not None:
                other = replace(other, told=partial(_count, route.name))
        draw = sampled, propensity
        request = _request(shadow.route, decision, payload, messages, *draw, bool(routed))
        group = route.settings.group(tier)
        shadow.keep(request, _served(tier, group, keeper.prices[tier], payload, response), other)

    async def _keeper(self, route: Route, access: RouterAccess) -> _Keeper:
        """Return what keeps a route's requests; the store is told of each policy that decides."""
        keeper, now = self._keepers.get(route.name), time.monotonic()
        if keeper is not None and now - keeper.looked < _LOOK_S:
            return keeper
        try:
            policy = await apolicy_of(route.settings)
        except RouteLLMError:
            if keeper is None:
                raise
            return keeper  # the plugin is gone, and decisions go to on_error
        if keeper is None or keeper.policy is not policy:
            settings = route.settings.shadow
            assert settings is not None
            prices = {tier: prices_of(route, tier, access, settings) for tier in _TIERS}
            keeper = _Keeper(shadow_of(route.name, settings), prices, policy, now)
            models = {tier: route.settings.group(tier) for tier in _TIERS}
            keeper.shadow.describe(about(policy, models, prices))
        self._keepers[route.name] = keeper = replace(keeper, looked=now)
        return keeper


async def _may_call(group: str, params: Mapping[str, Any], routes: Routes) -> bool:
    """Return whether a request may be sent to a group: not if its key has another one in its place,
    or it went to an account of the client's own.
    """
    if own_account(params):
        return False
    key = key_of(params)

    def is_alias(name: str) -> bool:
        with suppress(RouteLLMError):
            return routes.find(name) is not None
        return True

    return key is None or await means_itself(key, group, override_of(params), is_alias)


async def _observed(
    route: Route,
    params: Mapping[str, Any],
    messages: Any,
    access: RouterAccess,
    abilities: GroupAbilities,
) -> Decision:
    """Return the decision on a request that was served without one."""
    buckets = {k: params[k] for k in ("metadata", "litellm_metadata") if params.get(k)}
    given = {**buckets, "messages": messages}
    request = Request(route.name, route, given, access.entries, abilities.of)
    return await adecide(route.settings, request.asked, checked=True)


def _count(route: str, answer: kept.Answer) -> None:
    metrics.note_shadow_call(route, answer.tier, answer.error)


def _request(
    name: str,
    decision: Decision,
    payload: Mapping[str, Any],
    messages: Any,
    sampled: bool,
    propensity: float,
    acted: bool,
) -> kept.Request:
    turns = human_turns(messages_of({"messages": messages}))
    return kept.Request(
        request_id=str(payload.get("litellm_call_id") or payload.get("id")),
        at=float(payload.get("startTime") or 0.0),
        route=name,
        decision=decision,
        acted=acted,
        answer_id=payload.get("id"),
        turns=len(turns),
        prompt=turns[-1] if turns and sampled else None,
        messages=messages if sampled else (),
        sampled=sampled,
        propensity=propensity,
    )


def _served(
    tier: Tier, group: str, prices: Prices | None, payload: Mapping[str, Any], response: Any
) -> kept.Answer:
    """Return the answer that the user got."""
    content = response.model_dump() if hasattr(response, "model_dump") else response
    content = content if isinstance(content, Mapping) else {}
    started, ended = payload.get("startTime"), payload.get("endTime")
    elapsed_ms = (ended - started) * 1000 if started and ended else None
    return answer_of(tier, group, content, prices, elapsed_ms)


def _tier_of(route: Route, group: object) -> Tier | None:
    for tier in _TIERS:
        if group is not None and group in (route.settings.group(tier), route.entries[tier]):
            return tier
    return None
