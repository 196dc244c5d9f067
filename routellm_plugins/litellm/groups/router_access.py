"""The only code that depends on the internals of litellm.Router, which changed in 1.109."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import litellm
from litellm.router import Router
from litellm.types.router import CustomRoutingStrategyBase

from routellm_core import ConfigError

from ..config.routes import is_routed

logger = logging.getLogger(__name__)

_SELECTOR = "get_available_deployment"
_ASYNC_SELECTORS = ("_core_async_get_available_deployment", "async_get_available_deployment")


class RouterAccess:
    """Reads a Router's model list, and installs a strategy before its own selection.

    Args:
        router: a ``litellm.Router``.
    """

    def __init__(self, router: Router) -> None:
        self._router: Any = router
        self._core: Any = vars(router).get("_core", router)
        self._installed: object = None
        self._find_selectors()

    def install(
        self, strategy: CustomRoutingStrategyBase, entry_put: Callable[[bool], None]
    ) -> None:
        """Let ``strategy`` select from now on.

        Args:
            strategy: what selects.
            entry_put: called when an entry from a database was put into the model list, new or
                changed; with whether it is a routed alias.

        Raises:
            ConfigError: this LiteLLM selects deployments in an unknown way.
        """
        if self.select is None or self.aselect is None:
            raise ConfigError(
                "routellm does not know how this version of LiteLLM selects deployments: install "
                "another version of litellm, or a newer routellm-plugins"
            )
        self._put(strategy)
        self._keep_after_updates(strategy)
        self._keep_in_syncs(entry_put)

    def _find_selectors(self) -> None:
        # Taken from the instance, so that a custom strategy of the user's stays in the chain.
        found = (getattr(self._core, name, None) for name in _ASYNC_SELECTORS)
        self.aselect: Any = next(filter(None, found), None)
        self.select: Any = getattr(self._core, _SELECTOR, None)

    def _keep_after_updates(self, strategy: CustomRoutingStrategyBase) -> None:
        """Install again whenever ``update_settings`` has put another strategy in place."""
        name, update_settings = self._member("update_settings")

        @functools.wraps(update_settings)
        def update_and_install(**settings: Any) -> None:
            update_settings(**settings)
            if not self.installed_on(self._router):
                self._find_selectors()
                self._put(strategy)

        setattr(self._core, name, update_and_install)

    def _keep_in_syncs(self, entry_put: Callable[[bool], None]) -> None:
        """Leave the entry of an alias in place for as long as a database holds the same of it.

        LiteLLM compares the entries in its database with the Router's every 30 seconds, and puts
        those that differ in place again. That of an alias always would, because what follows from
        its groups was written into it.
        """
        name, upsert_deployment = self._member("upsert_deployment")
        stored: dict[str | None, Any] = {}

        @functools.wraps(upsert_deployment)
        def upsert_if_changed(deployment: Any) -> Any:
            routed = is_routed(deployment.model_dump(include={"litellm_params", "model_info"}))
            model_id = deployment.model_info.id
            if routed and stored.get(model_id) == deployment and self._core.has_model_id(model_id):
                return None
            given = deployment.model_copy(deep=True)
            added = upsert_deployment(deployment=deployment)
            if added is not None:
                if routed:
                    stored[model_id] = given
                entry_put(routed)
            return added

        setattr(self._core, name, upsert_if_changed)

    def _put(self, strategy: CustomRoutingStrategyBase) -> None:
        register = getattr(self._router, "register_plugin", None)
        (register or self._router.set_custom_routing_strategy)(strategy)
        self._installed = vars(self._core).get(_SELECTOR)

    def installed_on(self, router: Router) -> bool:
        """Whether what was installed selects for ``router``."""
        in_place = vars(self._core).get(_SELECTOR)
        return self._router is router and in_place is not None and in_place is self._installed

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return the live model list."""
        registry = getattr(self._router, "registry", None)
        entries = registry().all() if registry else self._router.model_list
        return cast("Sequence[Mapping[str, Any]]", entries)

    def group_aliases(self) -> Mapping[str, Any]:
        """Return ``model_group_alias``."""
        registry = getattr(self._router, "registry", None)
        aliases = registry().aliases() if registry else self._router.model_group_alias
        return cast("Mapping[str, Any]", aliases or {})

    def redis(self) -> Any:
        """Return the Redis that the Router shares with its siblings, LiteLLM's ``RedisCache``; None
        if there is none. In a proxy it is the one of the proxy's settings.
        """
        return getattr(getattr(self._core, "cache", None), "redis_cache", None)

    def group_info(self, group: str) -> Mapping[str, Any]:
        """Return windows, prices and capabilities of a model group; empty if it is not known."""
        try:
            _, group_info = self._member("get_model_group_info")
            info = group_info(model_group=group)
            return cast("Mapping[str, Any]", info.model_dump()) if info else {}
        except Exception:
            logger.debug("LiteLLM has no information on '%s'", group, exc_info=True)
            return {}

    def model_info(self, entry: Mapping[str, Any], group: str) -> Mapping[str, Any]:
        """Return what LiteLLM knows of the model of an entry: its own ``model_info``, beside what
        LiteLLM lists of that model.

        Args:
            entry: one of the model list.
            group: the name it serves, which says the model where the entry is for a pattern.

        Returns:
            Empty if the model is not known.
        """
        try:
            model = (entry.get("litellm_params") or {}).get("model")
            own = entry.get("model_info") or {}
            if not isinstance(model, str) or "*" in model:
                return {**litellm.get_model_info(model=group), **own}
            _, info_of = self._member("get_deployment_model_info")
            info = info_of(model_id=own.get("id"), model_name=model) or {}
            return cast("Mapping[str, Any]", {**info, **own})
        except Exception:
            logger.debug("LiteLLM has no information on a model of '%s'", group, exc_info=True)
            return {}

    def forget_group_infos(self) -> None:
        """Let LiteLLM read the model list again for what it reports about groups."""
        forget = getattr(self._core, "_invalidate_model_group_info_cache", None)
        if forget is not None:
            forget()

    def _member(self, name: str) -> tuple[str, Any]:
        """Return a method of the Router and its name there.

        From 1.109 on, Router is a facade, and what it had is a method of the core behind it.
        """
        renamed = f"_core_{name}"
        if hasattr(self._core, renamed):
            name = renamed
        return name, getattr(self._core, name)
