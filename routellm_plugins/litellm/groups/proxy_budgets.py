"""Budgets and limits of a proxy's keys, users and teams, for the group that serves an alias."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import litellm
from litellm.exceptions import BudgetExceededError
from litellm.router_utils.fallback_event_handlers import get_fallback_model_group

from ..reporting.routed_request import BUCKETS, RoutedRequest, buckets, routed_request
from .proxy_access import CHECKS_MODULE, of_proxy, proxy_router

logger = logging.getLogger(__name__)

_BUDGET_MODULE = "litellm.proxy.hooks.model_max_budget_limiter"
_TYPES_MODULE = "litellm.proxy._types"
_LIMITS = ("model_rpm_limit", "model_tpm_limit")
_BUDGETS = (
    *("model_max_budget", "user_model_max_budget", "end_user_model_max_budget"),
    *("team_model_max_budget", "team_member_model_max_budget"),
)
_NEEDED = {
    "user": ("user_id",),
    "end_user": ("end_user_id",),
    "team": ("team_id",),
    "team_member": ("user_id", "team_id"),
}
"""Who holds budgets besides the key, and the ids that say so."""
_EXCEEDED = "budget_exceeded"
"""What clients are told as the type of that error, where LiteLLM checks a budget with the key."""
_AUTH_MODULE = "litellm.proxy.auth.user_api_key_auth"
_MEMBER_FALLBACK = "_try_team_member_model_budget_fallback"
_KEY_BUDGET = "user_api_key_model_max_budget"
_LOGGED_BUDGETS = tuple(f"user_api_key_{name}" for name in _BUDGETS)
"""Where the metadata of a request has the budgets."""
_warned: set[str] = set()


async def within_model_budgets(
    key: Any, group: str, data: Mapping[str, Any], may_use: Callable[[str], Awaitable[bool]]
) -> str:
    """Hold a request to the budgets for its group of the key, its user, team and end user.

    LiteLLM checks them with the key, for the name that the client asked for.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        group: the model group that was chosen.
        data: the request.
        may_use: whether the request may go to a model that a fallback names.

    Returns:
        The group. Where the key's budget for it is used up, the first of the key's
        ``budget_fallbacks`` for it whose budget is not; where that of a member of a team is, the
        first of the group's ``fallbacks``, in a LiteLLM that does so.

    Raises:
        litellm.BudgetExceededError: a budget is used up.
    """
    limiter = of_proxy("model_max_budget_limiter")
    if limiter is None or not any(getattr(key, name, None) for name in _BUDGETS):
        return group
    try:
        return await _first_within(limiter, key, group, data, may_use)
    except BudgetExceededError as error:
        vars(error)["type"] = _EXCEEDED
        raise


async def _first_within(
    limiter: Any,
    key: Any,
    group: str,
    data: Mapping[str, Any],
    may_use: Callable[[str], Awaitable[bool]],
) -> str:
    """Like ``within_model_budgets``."""
    if getattr(key, "model_max_budget", None):
        try:
            await limiter.is_key_within_model_budget(user_api_key_dict=key, model=group)
        except BudgetExceededError:
            of_key = {"user_api_key_dict": key, "model": group}
            fallback = await limiter.get_fallback_model_within_budget(**of_key)
            if fallback is None or not await may_use(fallback):
                raise
            group = fallback
    for holder in ("user", "end_user", "team"):
        await _check(limiter, key, holder, group)
    try:
        await _check(limiter, key, "team_member", group)
    except BudgetExceededError:
        for fallback in _fallbacks_of_members(group, data):
            if await _within_all(limiter, key, fallback) and await may_use(fallback):
                return fallback
        raise
    return group


async def _check(limiter: Any, key: Any, holder: str, group: str) -> None:
    """Check the budget for a group of one who holds such budgets.

    Those of teams are newer than the others, and which ids are taken has changed as well.
    """
    budget, within = f"{holder}_model_max_budget", f"is_{holder}_within_model_budget"
    limits = getattr(key, budget, None)
    ids = {name: getattr(key, name, None) for name in ("user_id", "end_user_id", "team_id")}
    if not hasattr(limiter, within) or not isinstance(limits, Mapping) or not limits:
        return
    if all(ids[name] for name in _NEEDED[holder]):
        check = getattr(limiter, within)
        of_key = getattr(key, "model_max_budget", None)
        known = {**ids, "key_model_max_budget": of_key, budget: limits, "model": group}
        taken = inspect.signature(check).parameters
        await check(**{name: known[name] for name in taken if name in known})


async def _within_all(limiter: Any, key: Any, group: str) -> bool:
    try:
        if getattr(key, "model_max_budget", None):
            await limiter.is_key_within_model_budget(user_api_key_dict=key, model=group)
        for holder in _NEEDED:
            await _check(limiter, key, holder, group)
    except BudgetExceededError:
        return False
    return True


def _fallbacks_of_members(group: str, data: Mapping[str, Any]) -> Iterable[str]:
    """Return where requests of a team's member go whose budget for a group is used up."""
    router, auth = proxy_router(), sys.modules.get(_AUTH_MODULE)
    if not hasattr(auth, _MEMBER_FALLBACK) or data.get("disable_fallbacks"):
        return ()
    settings = data.get("router_settings_override")
    own = settings.get("fallbacks") if isinstance(settings, Mapping) else None
    held = router.settings() if callable(getattr(router, "settings", None)) else router
    configured = own if isinstance(own, list) else held.fallbacks
    found, _ = get_fallback_model_group(configured or [], group)
    return [each for each in found or () if isinstance(each, str) and each != group]


def check_price(group: str) -> None:
    """Refuse a request to a group without a price, where the proxy refuses those.

    LiteLLM looks at the name that the client asked for.

    Raises:
        Exception: LiteLLM's own for such a request.
    """
    checks: Any = sys.modules.get(CHECKS_MODULE)
    if not litellm.block_requests_for_models_without_pricing or checks is None:
        return
    if checks.model_has_no_cost_mapping(model=group, llm_router=proxy_router()):
        types: Any = sys.modules[_TYPES_MODULE]
        raise types.ProxyException(
            message=checks._unpriced_models_block_message((group,)),
            type=types.ProxyErrorTypes.model_cost_map_missing,
            param="model",
            code=403,
        )


def warn_of_limits(key: Any, alias: str) -> None:
    """Log, once, that a limit of requests or tokens names an alias: LiteLLM applies it to the
    model that a request names when it is served, which is the group.
    """
    for holder in ("metadata", "team_metadata"):
        metadata = getattr(key, holder, None) or {}
        for name in _LIMITS if metadata else ():
            limits = metadata.get(name)
            if isinstance(limits, Mapping) and alias in limits and alias not in _warned:
                _warned.add(alias)
                logger.warning(
                    "'%s' of a key or team names '%s', which is routed, and is not applied: name "
                    "its model groups instead",
                    name,
                    alias,
                )


async def charge_model_budgets(kwargs: Mapping[str, Any], response: Any, *times: Any) -> None:
    """Charge the cost of a request to the budgets for the group that answered.

    LiteLLM charges those for the name under which it logs, which is the alias. A budget that
    covers both, by a pattern, an access group or a name without its prefix, is charged once.

    Args:
        kwargs: what LiteLLM hands to a callback that logs a success.
        response: the answer.
        times: its start and its end.
    """
    limiter = of_proxy("model_max_budget_limiter")
    payload, params = kwargs.get("standard_logging_object"), kwargs.get("litellm_params")
    if limiter is None or not isinstance(payload, Mapping) or not isinstance(params, Mapping):
        return
    routed = routed_request(params)
    if routed is None or payload.get("model_group") != routed.alias:
        return
    budgets = {
        name: budget
        for bucket in buckets(params)
        for name in _LOGGED_BUDGETS
        if (budget := bucket.get(name))
    }
    if not budgets:
        return
    charged = {name for name, budget in budgets.items() if _is_one_budget(routed, budget)}
    of_group = {**payload, "model_group": routed.group}
    if _KEY_BUDGET in charged:
        # Not without the budget itself, which may stand in place of its team's.
        of_group["metadata"] = {**(payload.get("metadata") or {}), "user_api_key_hash": None}
    params = {**params, **_without(params, charged - {_KEY_BUDGET})}
    kwargs = {**kwargs, "standard_logging_object": of_group, "litellm_params": params}
    await limiter.async_log_success_event(kwargs, response, *times)


def _is_one_budget(routed: RoutedRequest, budgets: Mapping[str, Any]) -> bool:
    """Whether the same entry of a holder's budgets is for the alias and for its group."""
    resolve: Any = getattr(sys.modules.get(_BUDGET_MODULE), "resolve_model_budget", None)
    if resolve is None:
        return False
    of_alias, of_group = (
        resolve(model=name, model_max_budget=budgets) for name in (routed.alias, routed.group)
    )
    return of_alias is not None and of_alias == of_group


def _without(params: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the buckets of a request's metadata without what is named."""
    return {
        holder: {name: value for name, value in bucket.items() if name not in names}
        for holder in BUCKETS
        if isinstance(bucket := params.get(holder), dict)
    }
