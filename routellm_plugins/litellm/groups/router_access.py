"""What depends on the internals of litellm.Router, which changed in 1.109 and 1.110."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import litellm
from litellm.exceptions import BadRequestError
from litellm.router import Router
from litellm.types.router import CustomRoutingStrategyBase

from routellm_core import ConfigError

from ..config.routes import is_paused, is_routed
from .batch_calls import BATCH_CALLS, noted
from .rust_core import RustCore

logger = logging.getLogger(__name__)

_SELECTOR = "get_available_deployment"
_NOT_ROUTED = ("acreate_fine_tuning_job", "alist_fine_tuning_jobs", "avector_store_create")
_CREDENTIALS = ("get_deployment_credentials", "get_deployment_credentials_with_provider")
_ASYNC_SELECTORS = ("_core_async_get_available_deployment", "async_get_available_deployment")


class RouterAccess:
    """Reads a Router's model list, and installs a strategy before its own selection.

    Args:
        router: a ``litellm.Router``.
    """

    def __init__(self, router: Router) -> None:
        self._router: Any = router
        self._core: Any = vars(router).get("_core", router)
        registry = vars(self._core).get("_hosted")
        self._holders = [self._core] if registry is None else [self._core, registry]
        self._rust: RustCore | None = None
        if RustCore.is_one(self._core):
            self._rust = RustCore(self._core, self._routed_entry)
        self._installed: object = None
        self.aselect: Any = None
        self.select: Any = None
        self._find_selectors()

    def install(
        self,
        strategy: CustomRoutingStrategyBase,
        entry_changed: Callable[[bool, Collection[str]], None],
        refuse: Callable[[str, str], None],
        find: Callable[[str], object],
    ) -> None:
        """Let ``strategy`` select from now on.

        Args:
            strategy: what selects.
            entry_changed: called when an entry was put into the model list, new or changed, or was
                removed; with whether it is a routed alias, and its names, now and before.
            refuse: raises an error if a model is routed, and so not for a kind of call.
            find: reads the model list as it is now, and raises an error if a model is an alias
                with a mistake.

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
        self._keep_in_syncs(entry_changed)
        self._notice_removals(entry_changed)
        self._serve_models_by_groups()
        for call in BATCH_CALLS:
            holder, name = self._member(call)
            setattr(holder, name, noted(getattr(holder, name), find))
        for call in _NOT_ROUTED:
            self._refuse(call, refuse)
        for lookup in _CREDENTIALS:
            self._read_before(lookup, find)

    def _find_selectors(self) -> None:
        if self._rust is not None:
            self.aselect, self.select = self._rust.aselect, self._rust.select
            return
        # Taken from the instance, so that a custom strategy of the user's stays in the chain.
        found = (getattr(self._core, name, None) for name in _ASYNC_SELECTORS)
        self.aselect = next(filter(None, found), None)
        self.select = getattr(self._core, _SELECTOR, None)

    def _keep_after_updates(self, strategy: CustomRoutingStrategyBase) -> None:
        """Install again whenever ``update_settings`` has put another strategy in place."""
        holder, name = self._member("update_settings")
        update_settings = getattr(holder, name)

        @functools.wraps(update_settings)
        def update_and_install(**settings: Any) -> None:
            update_settings(**settings)
            if not self.installed_on(self._router):
                self._find_selectors()
                self._put(strategy)

        setattr(holder, name, update_and_install)

    def _keep_in_syncs(self, entry_changed: Callable[[bool, Collection[str]], None]) -> None:
        """Leave the entry of an alias in place for as long as a database holds the same of it.

        LiteLLM compares the entries in its database with the Router's every 30 seconds, and puts
        those that differ in place again. That of an alias always would, because what follows from
        its groups was written into it.
        """
        holder, name = self._member("upsert_deployment")
        upsert_deployment = getattr(holder, name)
        stored: dict[str | None, Any] = {}

        @functools.wraps(upsert_deployment)
        def upsert_if_changed(deployment: Any) -> Any:
            routed = is_routed(deployment.model_dump(include={"litellm_params", "model_info"}))
            model_id = deployment.model_info.id
            if routed and stored.get(model_id) == deployment and self._entry(model_id):
                return None
            given = deployment.model_copy(deep=True)
            before = self._entry(model_id) or {}
            added = upsert_deployment(deployment=deployment)
            if added is not None:
                if routed:
                    stored[model_id] = given
                entry_changed(routed, (str(before.get("model_name")), deployment.model_name))
            return added

        setattr(holder, name, upsert_if_changed)

    def _notice_removals(self, entry_changed: Callable[[bool, Collection[str]], None]) -> None:
        holder, name = self._member("delete_deployment")
        delete_deployment = getattr(holder, name)

        @functools.wraps(delete_deployment)
        def delete_and_tell(*given: Any, **named: Any) -> Any:
            before = self._entry(given[0] if given else named.get("id"))
            deleted = delete_deployment(*given, **named)
            if before is not None:
                entry_changed(is_routed(before), (str(before.get("model_name")),))
            return deleted

        setattr(holder, name, delete_and_tell)

    def _serve_models_by_groups(self) -> None:
        """Leave the entries of aliases out where a request names a model of the provider, which
        LiteLLM looks up among those of all entries: by such a name an alias cannot be asked for.
        """
        holder, name = self._member("_get_deployment_by_litellm_model")
        lookup = getattr(holder, name, None)
        if lookup is None:
            return

        @functools.wraps(lookup)
        def only_ordinary(*given: Any, **named: Any) -> Any:
            return [entry for entry in lookup(*given, **named) if not is_routed(entry)]

        setattr(holder, name, only_ordinary)

    def _refuse(self, call: str, refuse: Callable[[str, str], None]) -> None:
        """Refuse a call to an alias that the proxy makes without asking its callbacks first."""
        holder, name = self._member(call)
        served = getattr(holder, name)

        @functools.wraps(served)
        async def unless_routed(*given: Any, **named: Any) -> Any:
            model = given[0] if given else named.get("model")
            if isinstance(model, str):
                refuse(model, call)
            return await served(*given, **named)

        setattr(holder, name, unless_routed)

    def _read_before(self, lookup: str, find: Callable[[str], object]) -> None:
        """Let a lookup of the key of an entry, which the proxy calls the provider with itself, find
        that of an alias as it follows from the model list of now.
        """
        holder, name = self._member(lookup)
        looked_up = getattr(holder, name)

        @functools.wraps(looked_up)
        def look_up(*given: Any, **named: Any) -> Any:
            with contextlib.suppress(BadRequestError):
                find(str(given[0] if given else named.get("model_id")))
            return looked_up(*given, **named)

        setattr(holder, name, look_up)

    def _put(self, strategy: CustomRoutingStrategyBase) -> None:
        if self._rust is not None:
            self._rust.put(strategy)
        else:
            register = getattr(self._router, "register_plugin", None)
            (register or self._router.set_custom_routing_strategy)(strategy)
        self._installed = self._in_place()

    def _in_place(self) -> object:
        return self._rust.in_place if self._rust is not None else vars(self._core).get(_SELECTOR)

    def installed_on(self, router: Router) -> bool:
        """Whether what was installed selects for ``router``."""
        in_place = self._in_place()
        return self._router is router and in_place is not None and in_place is self._installed

    def entries(self) -> Sequence[Mapping[str, Any]]:
        """Return the live model list."""
        registry = getattr(self._router, "registry", None)
        entries = registry().all() if registry else self._router.model_list
        return cast("Sequence[Mapping[str, Any]]", entries)

    def serving(self, name: str | None) -> list[Mapping[str, Any]]:
        """Return the entries of a name that no admin has paused."""
        return [e for e in self.entries() if e.get("model_name") == name and not is_paused(e)]

    def serving_team(
        self, name: str | None, group: str, team_id: str | None
    ) -> list[Mapping[str, Any]]:
        """Return the entries of a group that may serve a team: its own if it has some, else those
        for all.

        Args:
            name: of the entries for all.
            group: the group, by the name that a team has its own entries under.
            team_id: None for a request that is of no team.
        """

        def is_own(entry: Mapping[str, Any]) -> bool:
            info = entry.get("model_info") or {}
            public = info.get("team_public_model_name")
            return info.get("team_id") == team_id is not None and public in (group, name)

        own = [entry for entry in self.entries() if is_own(entry) and not is_paused(entry)]
        teams = (None, team_id)
        return own or [
            entry
            for entry in self.serving(name)
            if (entry.get("model_info") or {}).get("team_id") in teams
        ]

    async def candidates(
        self, group: str, messages: Any, request: dict[str, Any]
    ) -> list[Mapping[str, Any]]:
        """Return the entries of a group that LiteLLM would pick from for a request, by all that it
        limits a request by: its team, tags, region, access groups and so on.

        Args:
            group: the model group.
            messages: of the request.
            request: its other arguments, with LiteLLM's metadata.

        Raises:
            Exception: LiteLLM would refuse the request.
        """
        if self._rust is not None:
            found = await self._core.select(group, request, kind="healthy", messages=messages)
        else:
            holder, name = self._member("async_get_healthy_deployments")
            healthy = getattr(holder, name)
            found = await healthy(model=group, request_kwargs=request, messages=messages)
        return [found] if isinstance(found, Mapping) else list(found)

    def default_params(self) -> dict[str, Any]:
        """Return the arguments of each call that no entry has."""
        given = self._settings().default_litellm_params or {}
        return {k: v for k, v in given.items() if v is not None and k != "metadata"}

    def is_routing_group(self, name: str) -> bool:
        """Whether a name is one of ``routing_groups``, whose members are model groups."""
        names = ("routing_groups", "_routing_groups")  # the latter in older releases
        return any(name in (getattr(self._core, each, None) or {}) for each in names)

    def group_aliases(self) -> Mapping[str, Any]:
        """Return ``model_group_alias``."""
        registry = getattr(self._router, "registry", None)
        aliases = registry().aliases() if registry else self._router.model_group_alias
        return cast("Mapping[str, Any]", aliases or {})

    def context_window_fallbacks(self) -> Sequence[Mapping[str, Any]]:
        """Return ``context_window_fallbacks``: the groups that get what is too long for one."""
        found = self._settings().context_window_fallbacks
        return cast("Sequence[Mapping[str, Any]]", found or ())

    def _settings(self) -> Any:
        settings = getattr(self._router, "settings", None)
        return settings() if callable(settings) else self._router

    def redis(self) -> Any:
        """Return the Redis that the Router shares with its siblings, LiteLLM's ``RedisCache``; None
        if there is none. In a proxy it is the one of the proxy's settings.
        """
        holder, name = self._member("cache")
        return getattr(getattr(holder, name, None), "redis_cache", None)

    def _entry(self, model_id: str | None) -> Mapping[str, Any] | None:
        holder, name = self._member("get_model_info")
        return cast("Mapping[str, Any] | None", getattr(holder, name)(id=model_id))

    def _routed_entry(self, model_id: str) -> Mapping[str, Any] | None:
        entry = self._entry(model_id)
        return entry if entry is not None and is_routed(entry) else None

    def group_info(self, group: str) -> Mapping[str, Any]:
        """Return windows, prices and capabilities of a model group; empty if it is not known."""
        try:
            holder, name = self._member("get_model_group_info")
            info = getattr(holder, name)(model_group=group)
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
            holder, name = self._member("get_deployment_model_info")
            info = getattr(holder, name)(model_id=own.get("id"), model_name=model) or {}
            return cast("Mapping[str, Any]", {**info, **own})
        except Exception:
            logger.debug("LiteLLM has no information on a model of '%s'", group, exc_info=True)
            return {}

    def named(self, entry: Mapping[str, Any], group: str) -> Mapping[str, Any]:
        """Return an entry as LiteLLM has it for a group that it serves: that of a pattern, with the
        model that the name of the group says.
        """
        if "*" not in str(entry.get("model_name")):
            return entry
        holder, name = self._member("pattern_router")
        own = (entry.get("model_info") or {}).get("id")
        for found in getattr(holder, name).get_deployments_by_pattern(model=group):
            if (found.get("model_info") or {}).get("id") == own:
                params = {**entry["litellm_params"], "model": found["litellm_params"]["model"]}
                return {**entry, "litellm_params": params}
        return entry

    def forget_group_infos(self) -> None:
        """Let LiteLLM read the model list again for what it reports about groups."""
        for holder in self._holders:
            forget = getattr(holder, "_invalidate_model_group_info_cache", None)
            if forget is not None:
                forget()

    def follow_in_patterns(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Change LiteLLM's copies of entries whose name is a pattern, for all or for a team: by
        these it finds the key and the address for a name that fits.

        Args:
            entries: what is in each entry now, by its id.
        """
        holder, name = self._member("pattern_router")
        of_teams, teams = self._member("team_pattern_routers")
        for router in (getattr(holder, name), *getattr(of_teams, teams).values()):
            patterns = {
                pattern: [_followed(each, entries) for each in served]
                for pattern, served in router.patterns.items()
            }
            if patterns != router.patterns:
                router.patterns = patterns

    def _member(self, name: str) -> tuple[Any, str]:
        """Return what holds a method of the Router, and its name there.

        From 1.109 on, Router is a facade, and what it had is a method of the core behind it; from
        1.110 on, of the core or of its registry.
        """
        renamed = f"_core_{name}"
        for holder in self._holders:
            if hasattr(holder, renamed):
                return holder, renamed
        return self._core, name


def _followed(entry: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    now = entries.get(str((entry.get("model_info") or {}).get("id")), {})
    return {**entry, **copy.deepcopy(dict(now))}
