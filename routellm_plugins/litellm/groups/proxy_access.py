"""The only code that depends on the internals of LiteLLM's proxy."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import litellm

from ..reporting.routed_request import BUCKETS, RoutedRequest, buckets, routed_request

logger = logging.getLogger(__name__)

_PROXY = "litellm.proxy.proxy_server"
_BUDGET_MODULE = "litellm.proxy.hooks.model_max_budget_limiter"
_PRE_CALL_MODULE = "litellm.proxy.litellm_pre_call_utils"
_POLICY_MODULE = "litellm.proxy.policy_engine.policy_registry"
_PIPELINES = "_guardrail_pipelines"
_IN_PIPELINES = "_pipeline_managed_guardrails"
_MERGE_GUARDRAILS = "_check_and_merge_model_level_guardrails"
_LIMITS = ("model_rpm_limit", "model_tpm_limit")
_BUDGETS = (
    *("model_max_budget", "user_model_max_budget", "end_user_model_max_budget"),
    *("team_model_max_budget", "team_member_model_max_budget"),
)
_KEY_BUDGET = "user_api_key_model_max_budget"
_LOGGED_BUDGETS = tuple(f"user_api_key_{name}" for name in _BUDGETS)
"""Where the metadata of a request has the budgets."""
_warned: set[str] = set()


def in_proxy() -> bool:
    """Whether a proxy runs in this process, or is about to."""
    return _PROXY in sys.modules


def proxy_router() -> Any:
    """Return the proxy's Router; None before it has one."""
    return _of_proxy("llm_router")


def proxy_app() -> Any:
    """Return the proxy's Starlette application."""
    return _of_proxy("app")


async def with_readable_ids(
    key: Any, cache: Any, data: dict[str, Any], call_type: str
) -> dict[str, Any]:
    """Return a request with the id of the response that it continues as the Router knows it.

    Clients get such ids encrypted; a hook of LiteLLM's that runs later decrypts them.
    """
    hooks = _of_proxy("proxy_logging_obj")
    if hooks is None or data.get("previous_response_id") is None:
        return data
    readable = dict(data)
    security = hooks.get_proxy_hook("responses_id_security")
    if security is not None:
        # LiteLLM changes the request in place, and from 1.110 on returns another one.
        changed = await security.async_pre_call_hook(key, cache, readable, call_type)
        return changed if isinstance(changed, dict) else readable
    return readable


def add_guardrails(data: dict[str, Any]) -> None:
    """Let a request have the guardrails of the group that it names now.

    LiteLLM added those of the name that the client asked for, from its entry. It has those of
    its groups as well, but perhaps not yet those of a group that was changed a moment ago.
    """
    merge = getattr(sys.modules.get("litellm.proxy.utils"), _MERGE_GUARDRAILS, None)
    if merge is not None:
        data.update(merge(data, proxy_router(), trust_client_model_info=False))


async def apply_group_settings(key: Any, data: dict[str, Any], call_type: str) -> None:
    """Apply to a request what the proxy's config says of the group that it names now: policies,
    with their guardrails, and whether headers of the client are handed on.

    LiteLLM applied what it says of the name that the client asked for, which stays.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        data: the request.
        call_type: LiteLLM's name for its kind.

    Raises:
        Exception: whatever a guardrail raises that refuses the request.
    """
    policies: Any = getattr(sys.modules.get(_POLICY_MODULE), "get_policy_registry", None)
    if policies is not None and policies().is_initialized():
        await _apply_policies(key, data, call_type)
    if getattr(litellm, "model_group_settings", None) is not None:
        setup: Any = getattr(sys.modules[_PRE_CALL_MODULE], "LiteLLMProxyRequestSetup")  # noqa: B009
        # Without credentials, which LiteLLM has left out there.
        headers = (data.get("proxy_server_request") or {}).get("headers") or {}
        setup.add_headers_to_llm_call_by_model_group(data, headers, key)


async def _apply_policies(key: Any, data: dict[str, Any], call_type: str) -> None:
    """Add the guardrails of policies to a request, and run their pipelines of guardrails, which
    LiteLLM does before any callback; not those that it has run for the alias.
    """
    holder = "litellm_metadata" if "litellm_metadata" in data else "metadata"
    bucket = data.setdefault(holder, {})
    ran, managed = (bucket.pop(name, None) or () for name in (_PIPELINES, _IN_PIPELINES))
    add: Any = sys.modules[_PRE_CALL_MODULE].add_guardrails_from_policy_engine
    await add(data, holder, key)
    found = [each for each in bucket.pop(_PIPELINES, ()) if each not in ran]
    if found:
        bucket[_PIPELINES] = found
        request = {"data": data, "user_api_key_dict": key, "call_type": call_type}
        hooks = _of_proxy("proxy_logging_obj")
        changed, _ = await hooks._maybe_execute_pipelines(**request, event_hook="pre_call")
        data.update(changed)
        bucket = data[holder]
        done = _steps(found, "pre_call")
        bucket["guardrails"] = [each for each in bucket.get("guardrails", ()) if each not in done]
    if ran or found:
        bucket[_PIPELINES] = [*ran, *found]
        bucket[_IN_PIPELINES] = {*managed, *bucket.get(_IN_PIPELINES, ())}


def _steps(pipelines: Iterable[tuple[str, Any]], mode: str) -> set[str]:
    """Return the guardrails that pipelines of a mode stand for, and that run in no other mode."""
    named = {
        step.guardrail
        for _, pipeline in pipelines
        if pipeline.mode == mode
        for step in pipeline.steps
    }
    only = {
        getattr(each, "guardrail_name", None)
        for each in litellm.callbacks
        if getattr(each, "event_hook", None) == mode
    }
    return named & only


async def check_model_budgets(key: Any, group: str) -> None:
    """Hold a request to the budgets for its group of the key, its user, team and end user.

    LiteLLM checks them with the key, for the name that the client asked for.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        group: the model group that was chosen.

    Raises:
        litellm.BudgetExceededError: one is used up.
    """
    limiter = _of_proxy("model_max_budget_limiter")
    if limiter is None or not any(getattr(key, name, None) for name in _BUDGETS):
        return
    own = getattr(key, "model_max_budget", None)
    ids = {name: getattr(key, name, None) for name in ("user_id", "end_user_id", "team_id")}

    async def check(holder: str, *needed: str) -> None:
        budget, within = f"{holder}_model_max_budget", f"is_{holder}_within_model_budget"
        limits = getattr(key, budget, None)
        # Those of teams are newer than the others, and which ids are taken has changed as well.
        if hasattr(limiter, within) and isinstance(limits, Mapping) and limits:
            if not all(ids[name] for name in needed):
                return
            check_one = getattr(limiter, within)
            known = {**ids, "key_model_max_budget": own, budget: limits, "model": group}
            taken = inspect.signature(check_one).parameters
            await check_one(**{name: known[name] for name in taken if name in known})

    if own:
        await limiter.is_key_within_model_budget(user_api_key_dict=key, model=group)
    await check("user", "user_id")
    await check("end_user", "end_user_id")
    await check("team", "team_id")
    await check("team_member", "user_id", "team_id")


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
    limiter = _of_proxy("model_max_budget_limiter")
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


def _of_proxy(name: str) -> Any:
    return getattr(sys.modules.get(_PROXY), name, None)
