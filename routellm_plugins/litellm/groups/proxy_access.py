"""The only code, beside ``proxy_budgets``, that depends on the internals of LiteLLM's proxy."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import litellm

_PROXY = "litellm.proxy.proxy_server"
CHECKS_MODULE = "litellm.proxy.auth.auth_checks"
PRE_CALL_MODULE = "litellm.proxy.litellm_pre_call_utils"
_POLICY_MODULE = "litellm.proxy.policy_engine.policy_registry"
_PIPELINES = "_guardrail_pipelines"
_IN_PIPELINES = "_pipeline_managed_guardrails"
_MERGE_GUARDRAILS = "_check_and_merge_model_level_guardrails"
_PROCESSING_MODULE = "litellm.proxy.common_request_processing"
_LOAD_CREDENTIALS = "_resolve_user_provider_credentials_for_request"
_RESPONSE_IDS = ("previous_response_id", "response_id")
_STRIP_USAGE = "_litellm_strip_stream_usage"
"""Set in a request where LiteLLM asks a stream for its usage, which the client did not."""


def in_proxy() -> bool:
    """Whether a proxy runs in this process, or is about to."""
    return _PROXY in sys.modules


def proxy_router() -> Any:
    """Return the proxy's Router; None before it has one."""
    return of_proxy("llm_router")


def proxy_app() -> Any:
    """Return the proxy's Starlette application."""
    return of_proxy("app")


async def with_readable_ids(
    key: Any, cache: Any, data: dict[str, Any], call_type: str
) -> dict[str, Any]:
    """Return a request with the id of the response that it continues or is about as the Router
    knows it.

    Clients get such ids encrypted; a hook of LiteLLM's that runs later decrypts them.
    """
    hooks = of_proxy("proxy_logging_obj")
    if hooks is None or all(data.get(name) is None for name in _RESPONSE_IDS):
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


async def apply_group_settings(key: Any, alias: str, data: dict[str, Any], call_type: str) -> None:
    """Apply to a request what is set for the group that it names now: policies, with their
    guardrails, whether headers of the client are handed on, credentials of teams, and accounts that
    the user has connected.

    LiteLLM applied what is set for the name that the client asked for. That stays, but for
    credentials, which are of one group.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        alias: the name that the client asked for.
        data: the request.
        call_type: LiteLLM's name for its kind.

    Raises:
        Exception: whatever a guardrail raises that refuses the request.
    """
    policies: Any = getattr(sys.modules.get(_POLICY_MODULE), "get_policy_registry", None)
    if policies is not None and policies().is_initialized():
        await _apply_policies(key, data, call_type)
    if getattr(litellm, "model_group_settings", None) is not None:
        setup: Any = sys.modules[PRE_CALL_MODULE].LiteLLMProxyRequestSetup
        # Without credentials, which LiteLLM has left out there.
        headers = (data.get("proxy_server_request") or {}).get("headers") or {}
        setup.add_headers_to_llm_call_by_model_group(data, headers, key)
    if getattr(litellm, "enable_model_config_credential_overrides", False):
        apply: Any = sys.modules[PRE_CALL_MODULE]._apply_credential_overrides_from_model_config
        settings = {"user_api_key_dict": key, "llm_router": proxy_router()}
        of_alias = {"model": alias}
        apply(data=of_alias, **settings)
        for name in of_alias.keys() - {"model"}:
            if data.get(name) == of_alias[name]:
                del data[name]
        apply(data=data, pre_alias_model_name=alias, **settings)
    if litellm.credential_list:
        await _load_accounts(key, data)


async def _load_accounts(key: Any, data: dict[str, Any]) -> None:
    """Load the accounts that the user of a key has connected, such as GitHub Copilot's, where a
    deployment of the group asks for them.
    """
    load: Any = getattr(sys.modules[PRE_CALL_MODULE], _LOAD_CREDENTIALS, None)
    # A header may have set the user of the key since, and must not open another's account.
    if load is None or (of_proxy("general_settings") or {}).get("user_header_mappings"):
        return
    settings = getattr(key, "router_settings", None)
    await load(
        data=data,
        authenticated_user_id=key.user_id,
        team_id=key.team_id,
        llm_router=proxy_router(),
        router_settings=settings if isinstance(settings, dict) else None,
    )


def ask_for_usage(key: Any, data: dict[str, Any], call_type: str) -> None:
    """Ask a stream for its usage, by which it is charged, where the group that the request names
    now can tell it.

    LiteLLM did so where the model in the entry of the alias can.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        data: the request.
        call_type: LiteLLM's name for its kind.
    """
    updates = _of_processing("stream_usage_tracking_updates")
    can_tell = _of_processing("model_deployments_support_stream_options")
    if updates is None or can_tell is None:
        return
    if data.pop(_STRIP_USAGE, None):
        asked = {k: v for k, v in data.pop("stream_options").items() if k != "include_usage"}
        if asked:
            data["stream_options"] = asked
    found = updates(
        data=data,
        general_settings=of_proxy("general_settings") or {},
        route_type=call_type,
        supports_stream_options=lambda: can_tell(
            model=data["model"], llm_router=proxy_router(), team_id=getattr(key, "team_id", None)
        ),
    )
    data.update(found)


def _of_processing(name: str) -> Any:
    module = sys.modules.get(_PROCESSING_MODULE)
    return getattr(module, name, None) or getattr(module, f"_{name}", None)  # until 1.102


async def _apply_policies(key: Any, data: dict[str, Any], call_type: str) -> None:
    """Add the guardrails of policies to a request, and run their pipelines of guardrails, which
    LiteLLM does before any callback; not those that it has run for the alias.
    """
    holder = "litellm_metadata" if "litellm_metadata" in data else "metadata"
    bucket = data.setdefault(holder, {})
    ran, managed = (bucket.pop(name, None) or () for name in (_PIPELINES, _IN_PIPELINES))
    add: Any = sys.modules[PRE_CALL_MODULE].add_guardrails_from_policy_engine
    await add(data, holder, key)
    found = [each for each in bucket.pop(_PIPELINES, ()) if each not in ran]
    if found:
        bucket[_PIPELINES] = found
        request = {"data": data, "user_api_key_dict": key, "call_type": call_type}
        hooks = of_proxy("proxy_logging_obj")
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


def of_proxy(name: str) -> Any:
    """Return what a module of the proxy calls by a name; None if there is none, or no proxy."""
    return getattr(sys.modules.get(_PROXY), name, None)
