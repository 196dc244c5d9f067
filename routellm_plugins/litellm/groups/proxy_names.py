"""Names that a proxy's keys and teams give to model groups, for the group that serves an alias.

A key may call ``gpt-4o`` what the proxy calls ``gpt-4o-eu``: by its own aliases, by its team's, or
by ``model_group_alias`` of the ``router_settings`` of either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import litellm

from .proxy_access import CHECKS_MODULE, PRE_CALL_MODULE, of_proxy, proxy_router

_SETTINGS = "router_settings_override"


async def named_by(
    key: Any, group: str, data: Mapping[str, Any], is_alias: Callable[[str], bool]
) -> str:
    """Return the model group that a key means by the name of a group.

    LiteLLM looks this up for the name that the client asked for. A name that leads to a routed
    alias is for clients, which ask for it by the name of a group.

    Args:
        key: LiteLLM's ``UserAPIKeyAuth``.
        group: the model group that was chosen.
        data: the request, in which LiteLLM has put the ``router_settings`` of its key or team.
        is_alias: whether a name is that of a routed alias.

    Raises:
        Exception: what LiteLLM answers to a key that may not use the group by that name.
    """
    meant = {"model": group}
    _rename(meant, key, "team_model_aliases", "_update_model_if_team_alias_exists")
    _rename(meant, key, "aliases", "_update_model_if_key_alias_exists")
    meant["model"] = litellm.model_alias_map.get(meant["model"], meant["model"])
    _rename(meant, key, "aliases", "_update_model_if_key_alias_exists")
    by_alias = meant["model"]
    settings = await _router_settings(key, data)
    aliases = settings.get("model_group_alias") if isinstance(settings, Mapping) else None
    to = aliases.get(by_alias) if isinstance(aliases, Mapping) else None
    to = to.get("model") if isinstance(to, Mapping) else to
    name = to if isinstance(to, str) else by_alias
    if name == group or is_alias(name):
        return group
    if by_alias != group:
        await _check(key, group)
    if name != by_alias:
        await _check(key, name)
    return name


async def means_itself(
    key: Any, group: str, data: Mapping[str, Any], is_alias: Callable[[str], bool]
) -> bool:
    """Return whether a key means a group by its name, and has no credentials of its own for groups.

    Args:
        key: as ``named_by`` takes it, and so are the others.
        group: the model group.
        data: the request.
        is_alias: whether a name is that of a routed alias.
    """
    if getattr(litellm, "enable_model_config_credential_overrides", False):
        holders = ("metadata", "team_metadata", "project_metadata")
        if any("model_config" in (getattr(key, name, None) or {}) for name in holders):
            return False
    try:
        return await named_by(key, group, data, is_alias) == group
    except Exception:
        return False


async def _router_settings(key: Any, data: Mapping[str, Any]) -> object:
    """Return the ``router_settings`` of a key or team. A client can write them into its request as
    well, where LiteLLM leaves them for a key that has none, and follows no alias in them.
    """
    request = data.get("proxy_server_request")
    body = request.get("body") if isinstance(request, Mapping) else None
    if not isinstance(body, Mapping) or _SETTINGS not in body:
        return data.get(_SETTINGS)
    return await of_proxy("proxy_config")._get_hierarchical_router_settings(
        user_api_key_dict=key,
        prisma_client=of_proxy("prisma_client"),
        proxy_logging_obj=of_proxy("proxy_logging_obj"),
    )


def _rename(request: dict[str, str], key: Any, aliases: str, by: str) -> None:
    if getattr(key, aliases, None):
        getattr(sys.modules[PRE_CALL_MODULE], by)(data=request, user_api_key_dict=key)


async def may_use(key: Any, model: str) -> bool:
    """Return whether a key may ask for a model."""
    try:
        await _check(key, model)
    except Exception:
        return False
    return True


async def _check(key: Any, model: str) -> None:
    checks: Any = sys.modules[CHECKS_MODULE]
    await checks.can_key_call_resolved_model(
        model=model,
        llm_model_list=of_proxy("llm_model_list"),
        valid_token=key,
        llm_router=proxy_router(),
    )
