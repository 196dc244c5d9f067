"""The routing strategy: turns a routed alias into a model group, and leaves the rest to LiteLLM."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import litellm
from litellm.router import Router
from litellm.types.router import CustomRoutingStrategyBase

from routellm_core import ConfigError, Decision, RouteLLMError
from routellm_core.policy.policies import decide

from .config.changes import ModelListChanges
from .config.report import check_routes
from .config.routes import Route, Routes, is_routed, shortened
from .config.versions import version_warning
from .deciding.application import application_callback
from .deciding.errors import bad_request, paused
from .deciding.overrides import check_wish, with_override
from .deciding.request import Request
from .deciding.shared import SharedConversations
from .groups.abilities import GroupAbilities
from .groups.alias_entries import AliasEntries
from .groups.batch_calls import about_batch
from .groups.router_access import RouterAccess
from .groups.rust_core import chosen_by_core
from .reporting.routed_request import RoutedRequest, routed_request, team_of
from .shadow.limits import note_limits
from .shadow.router_log import RouterShadowLog

try:
    from litellm.router_utils.fallback_event_handlers import (
        get_pre_routing_selection as pre_routing_selection,
    )
    from litellm.router_utils.fallback_event_handlers import record_pre_routing_selection
except ImportError:  # older releases look fallbacks up under the alias alone
    pre_routing_selection = None  # type: ignore[assignment]
    record_pre_routing_selection = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_TEAM_PATTERNS_FIRST = hasattr(Router, "wildcard_route_deployments")
"""Older releases serve a name that both fit by the pattern for all."""


class RouteLLMRoutingStrategy(CustomRoutingStrategyBase):
    """Chooses the strong or the weak model group for routed aliases.

    The deployment within the group is chosen by the Router's own selection, so that load
    balancing, cooldowns, retries and fallbacks work as for a request that names the group.
    Requests for any other model pass through.

    Args:
        router: the ``litellm.Router`` to select for.
    """

    def __init__(self, router: Router) -> None:
        self.access = RouterAccess(router)
        self._changes = ModelListChanges()
        self._settings: object = None
        self.known_routes = Routes([])
        """Of the model list as it was when a request was last decided on."""
        self._entries = AliasEntries(self.access)
        self._abilities = GroupAbilities(self.access)
        self.shared = SharedConversations(self.access.redis)

    async def async_get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,  # noqa: A002  # as the base class has it
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the deployment that serves a request; see LiteLLM's base class."""
        kwargs = {} if request_kwargs is None else request_kwargs
        group, routed = model, _settled(kwargs)
        route = None if specific_deployment else self._still_to_route(model, routed, kwargs)
        if route and not about_batch():
            if _is_embedding(messages, input, kwargs):
                self.reject_embedding(model)
            if _asks_nothing(messages, input, kwargs):
                group = route.strong_group
            else:
                request = self.request(model, route, kwargs, messages)
                routed = request.routed_before()
                if routed is None:
                    routed = request.routed(await self.adecide(request))
                group = routed.group
        if self.known_routes.any_kept:
            note_limits(kwargs)
        with _on_record(routed, kwargs):
            deployment = await self.access.aselect(
                model=group,
                messages=messages,
                input=input,
                specific_deployment=specific_deployment,
                request_kwargs=kwargs,
            )
        if route is None and (tier := self._alias_as_tier(deployment, model, kwargs)):
            return await self.async_get_available_deployment(
                tier, messages, input, specific_deployment, kwargs
            )
        return self._callable(deployment, model)

    def get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,  # noqa: A002  # as the base class has it
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return the deployment that serves a request; see LiteLLM's base class."""
        kwargs = {} if request_kwargs is None else request_kwargs
        group, routed = model, _settled(kwargs)
        if not specific_deployment and (route := self._still_to_route(model, routed, kwargs)):
            if _is_embedding(messages, input, kwargs):
                self.reject_embedding(model)
            if _asks_nothing(messages, input, kwargs):
                group = route.strong_group
            else:
                request = self.request(model, route, kwargs, messages, sent_as_is=True)
                routed = request.routed_before()
                if routed is None:
                    routed = request.routed(self.decide(request))
                group = routed.group
        if self.known_routes.any_kept:
            note_limits(kwargs)
        with _on_record(routed, kwargs):
            deployment = self.access.select(
                model=group,
                messages=messages,
                input=input,
                specific_deployment=specific_deployment,
                request_kwargs=kwargs,
            )
        return self._callable(deployment, model)

    def _alias_as_tier(self, deployment: Any, model: str, kwargs: Mapping[str, Any]) -> str | None:
        """Return the alias that one of LiteLLM's own routers or ``routing_groups`` chose for a
        request, within LiteLLM's selection; None if none did.
        """
        if about_batch():
            return None
        chosen = None
        if isinstance(deployment, (str, tuple)):
            chosen = chosen_by_core(deployment)
        elif is_routed(deployment or {}):
            if self.access.is_routing_group(model):
                chosen = deployment.get("model_name")
            elif pre_routing_selection is not None:
                # No client can have written that: each attempt begins by clearing it.
                chosen = pre_routing_selection(kwargs)
        return chosen if chosen and chosen != model and self.find(chosen, team_of(kwargs)) else None

    def _callable(self, deployment: Any, model: str) -> Any:
        """Return a deployment, unless it is a routed entry, reached by its id or in another way.
        Such an entry serves calls about its files and batches, and no others.
        """
        if isinstance(deployment, Mapping) and is_routed(deployment):
            name = deployment.get("model_name")
            if not (about_batch() and any(route.name == name for route in self.known_routes)):
                leads = f"'{shortened(model)}' leads to a routed alias: ask for the alias by name"
                raise bad_request(model, self.known_routes.problems.get(str(name)) or leads)
        return deployment

    def _still_to_route(
        self, model: str, routed: RoutedRequest | None, kwargs: Mapping[str, Any]
    ) -> Route | None:
        """Return the route of a request, unless it names the group that was chosen for it."""
        if routed is not None and routed.group == model:
            return None
        return self.find(model, team_of(kwargs))

    def reject_embedding(self, model: str) -> None:
        """Refuse to make embeddings by a routed alias: those of two models cannot be compared.

        Raises:
            litellm.BadRequestError: the model is one.
        """
        if self.find(model) is not None:
            raise bad_request(model, f"'{model}' routes chats: name a model group for embeddings")

    def refuse(self, model: str, call: str) -> None:
        """Refuse a kind of call that is not routed.

        Args:
            model: what it asks for.
            call: LiteLLM's name for the kind.

        Raises:
            litellm.BadRequestError: the model is a routed alias.
        """
        if self.find(model) is not None:
            raise bad_request(
                model,
                f"'{model}' routes chat completions, responses and messages, not {call}: "
                "name a model group instead",
            )

    def find(self, model: str, team_id: str | None = None) -> Route | None:
        """Return the route of a model name; None if LiteLLM serves it without us, as what the team
        that asks has entries of its own for.

        Raises:
            litellm.BadRequestError: the entry of that name has a mistake.
        """
        try:
            return self.routes().find(model, team_id)
        except RouteLLMError as error:
            raise bad_request(model, error) from error
        except Exception:
            logger.exception("the route of '%s' could not be found", shortened(model))
            return None

    def request(
        self,
        model: str,
        route: Route,
        kwargs: Mapping[str, Any],
        messages: Sequence[Mapping[str, Any]] | None = None,
        sent_as_is: bool = False,
    ) -> Request:
        """Return a request for a routed alias, with what it may and does set about routing.

        Args:
            model: the alias.
            route: of the alias.
            kwargs: the request.
            messages: as ``Request`` takes them.
            sent_as_is: likewise; LiteLLM has a hook before an attempt for calls that are async.

        Raises:
            litellm.PermissionDeniedError: an admin has paused the alias.
            litellm.BadRequestError: what it sets is malformed, or is not for it to set.
        """
        if route.paused:
            raise paused(model)
        try:
            route = with_override(route, kwargs)
        except RouteLLMError as error:
            raise bad_request(model, error) from error
        entries, abilities = self.access.entries, self._abilities.of
        return Request(model, route, kwargs, entries, abilities, messages, sent_as_is)

    async def adecide(self, request: Request) -> Decision:
        """Decide on a request.

        Raises:
            litellm.BadRequestError: its settings name no router, or what it sets is not allowed.
        """
        route = request.route
        try:
            if route.wish:
                await asyncio.to_thread(check_wish, route)
            return await self.shared.adecide(route.settings, request.asked)
        except RouteLLMError as error:
            raise bad_request(request.alias, error) from error

    def decide(self, request: Request) -> Decision:
        """Like ``adecide``."""
        route = request.route
        try:
            check_wish(route)
            return decide(route.settings, request.asked)
        except RouteLLMError as error:
            raise bad_request(request.alias, error) from error

    def routes(self) -> Routes:
        """Return the routes of the Router as it is now, edited in place or not."""
        entries, aliases = self.access.entries(), self.access.group_aliases()
        settings = aliases, self.access.context_window_fallbacks()
        if settings != self._settings or self._changes.any_in(entries):
            settings = copy.deepcopy(settings)
            self.known_routes = _routes_of(entries, settings[0])
            self._entries.follow_groups(self.known_routes, entries)
            self._abilities.forget()
            self._changes.note(entries)
            self._settings = settings
            for problem in self.known_routes.problems.values():
                logger.error("%s", problem)
        return self.known_routes

    def entry_changed(self, routed: bool, names: Collection[str]) -> None:
        """Read the entries again, although they may say the same about routing as before.

        At once where the entry of an alias was put in place, because all that follows from its
        groups is missing there, or where one of a group was changed or removed, because what
        follows from that is still there: LiteLLM has endpoints that look up an address and a key
        before anything of ours is asked. That is done for these aliases alone, since LiteLLM puts
        a long list in place one by one. All else is read with the next request.

        Args:
            routed: whether it is the entry of a routed alias.
            names: its ``model_name``, now and before.
        """
        self._changes.forget()
        if not routed and not _aliases_of(self.known_routes, names):
            return
        try:
            entries, before = self.access.entries(), self.known_routes
            self.known_routes = now = _routes_of(
                entries, copy.deepcopy(self.access.group_aliases())
            )
            changed = {*names, *_aliases_of(before, names), *_aliases_of(now, names)}
            self._entries.follow_groups(now, entries, changed)
        except Exception:
            logger.exception("the routed aliases could not be read; requests to them may fail")

    def read(self) -> None:
        """Read the model list now, and not with the next request; never raises."""
        try:
            self.routes()
        except Exception:
            logger.exception("the routed aliases could not be read; requests to them may fail")


def _routes_of(entries: Sequence[Mapping[str, Any]], aliases: Mapping[str, Any]) -> Routes:
    return Routes(entries, aliases, team_patterns_first=_TEAM_PATTERNS_FIRST)


def _aliases_of(routes: Routes, names: Collection[str]) -> set[str]:
    """Return the aliases that have one of these names for a group."""
    return {route.name for route in routes if any(name in names for name in route.entries.values())}


def install(router: Router) -> RouteLLMRoutingStrategy:
    """Route the aliases of a ``litellm.Router`` that an application built itself.

    Args:
        router: a Router with ``model_info.routellm`` in entries of its ``model_list``.

    Raises:
        ConfigError: an entry has a mistake, or this version of LiteLLM is not supported.
    """
    if warning := version_warning():
        logger.warning("%s", warning)
    strategy = RouteLLMRoutingStrategy(router)
    routes = strategy.routes()
    problems = check_routes(routes).problems
    if problems:
        raise ConfigError("\n".join(problems))
    strategy.access.install(strategy, strategy.entry_changed, strategy.refuse, strategy.find)
    litellm.logging_callback_manager.add_litellm_callback(application_callback)
    if any(route.settings.shadow for route in (*routes, *routes.observed.values())):
        RouterShadowLog(strategy).listen()
    return strategy


def _is_embedding(messages: object, given: object, kwargs: Mapping[str, Any]) -> bool:
    # The responses API has its input among the keyword arguments as well.
    return messages is None and given is not None and "input" not in kwargs


def _asks_nothing(messages: object, given: object, kwargs: Mapping[str, Any]) -> bool:
    """Whether a deployment is looked for and no answer, as LiteLLM does to count tokens by it."""
    return messages is None and given is None and not kwargs


def _settled(kwargs: Mapping[str, Any]) -> RoutedRequest | None:
    """Return the decision by which a request for an ordinary group came to name it."""
    routed = routed_request(kwargs)
    return routed if routed is not None and routed.settled else None


@contextlib.contextmanager
def _on_record(routed: RoutedRequest | None, kwargs: dict[str, Any]) -> Iterator[None]:
    """Record a decision after the Router's own selection, which clears what was there before.

    Also if it found no deployment: while a group cools down, its fallbacks are needed.
    """
    try:
        yield
    finally:
        if routed is not None:
            try:
                routed.write_to(kwargs)
                if record_pre_routing_selection is not None and not routed.settled:
                    record_pre_routing_selection(kwargs, routed.group)
            except Exception:
                logger.exception(
                    "the decision on a request for '%s' was not recorded", routed.alias
                )
