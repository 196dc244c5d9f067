"""Keep a conversation on one model where the upstream stores it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from litellm.responses.utils import ResponsesAPIRequestUtils

from routellm_core import Asked, Decision, RoutingPolicy, Tier

from .routes import Route


def stay_on_tier(
    request_kwargs: Mapping[str, Any],
    route: Route,
    policy: RoutingPolicy,
    entries: Iterable[Mapping[str, Any]],
) -> Decision | None:
    """Return the decision on a request that continues a response of one of the route's models.

    The response that the responses API's ``previous_response_id`` names is known to the provider
    that gave it only, so no score is asked for.

    Args:
        request_kwargs: the request.
        route: the route of the model asked for.
        policy: the route's policy.
        entries: the Router's model list.

    Returns:
        None for a request that continues nothing, or the response of another model.
    """
    tier = _tier_of_previous(request_kwargs.get("previous_response_id"), route, entries)
    return None if tier is None else policy.decide(Asked(settled=tier, cause="conversation"))


def _tier_of_previous(
    previous: object, route: Route, entries: Iterable[Mapping[str, Any]]
) -> Tier | None:
    if not isinstance(previous, str):
        return None
    model_id = ResponsesAPIRequestUtils.get_model_id_from_response_id(previous)
    if model_id is None:
        return None
    names = (
        e.get("model_name") for e in entries if (e.get("model_info") or {}).get("id") == model_id
    )
    return route.tiers.get(next(names, None))
