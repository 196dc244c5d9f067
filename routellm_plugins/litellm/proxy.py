"""The callback that brings routing into a LiteLLM proxy: config.yaml names ``proxy_handler``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

import litellm
from litellm.exceptions import BadRequestError
from litellm.integrations.custom_logger import CustomLogger
from starlette.exceptions import HTTPException

from routellm_core import ConfigError

from .config.routes import Route
from .config.start_check import end_on_mistakes
from .deciding.answers import note_answers
from .deciding.conversation import entry_of_response
from .deciding.errors import bad_request
from .deciding.overrides import drop_override
from .deciding.reasoning import drop_foreign_reasoning, drop_reasoning_before_attempt
from .groups.client_parameters import let_groups_permit
from .groups.costs import Costs
from .groups.fallback_access import let_groups_fall_back
from .groups.parameters import CALLS, drop_unsupported
from .groups.proxy_access import (
    add_guardrails,
    apply_group_settings,
    ask_for_usage,
    in_proxy,
    proxy_app,
    proxy_router,
    with_readable_ids,
)
from .groups.proxy_budgets import (
    charge_model_budgets,
    check_price,
    warn_of_limits,
    within_model_budgets,
)
from .groups.proxy_names import may_use, named_by
from .reporting.logs import log_under_the_alias
from .reporting.response_headers import add_to
from .reporting.routed_request import RoutedRequest, drop_forged_decisions
from .reporting.status import serve_status
from .shadow.at_shutdown import write_before_the_end
from .shadow.keeping import ShadowLog
from .shadow.limits import note_limits
from .strategy import RouteLLMRoutingStrategy

logger = logging.getLogger(__name__)

_SERVED = {
    "acompact_responses",
    "acompletion",
    "aanthropic_messages",
    "agenerate_content",
    "agenerate_content_stream",
    "anthropic_messages",
    "aresponses",
    "atext_completion",
    "completion",
    "responses",
    "text_completion",
}
_PASSED_THROUGH = "pass_through_endpoint"
"""The model of such a request is the provider's own name for it, and no model group."""
_BATCH = "acreate_batch"
_OF_A_RESPONSE = {"aget_responses", "acancel_responses", "adelete_responses", "alist_input_items"}


class RouteLLMProxyHandler(CustomLogger):
    """Turns a request for a routed alias into a request for one of its groups.

    It does so before LiteLLM looks at the model, so that what follows is the group's own request:
    its retries, limits, fallbacks and cooldowns. The strategy it installs on the proxy's Router
    is for aliases that reach the Router in another way, such as a fallback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._strategy: RouteLLMRoutingStrategy | None = None
        self._not_supported: str | None = None
        self._costs = Costs()
        self._shadow = ShadowLog()
        self._waiting: asyncio.Task[None] | None = None

    # LiteLLM skips a handler whose own class does not define this, so it cannot be inherited.
    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        """Choose the group of a request; LiteLLM calls this before it routes.

        Raises:
            litellm.BadRequestError: the entry of the model asked for has a mistake, or it does
                not serve this kind of call.
            litellm.BudgetExceededError: a budget for the chosen group is used up.
        """
        drop_forged_decisions(data)
        strategy = self._installed_strategy()
        model = data.get("model")
        if strategy is None or not isinstance(model, str) or call_type == _PASSED_THROUGH:
            return
        route = strategy.find(model, getattr(user_api_key_dict, "team_id", None))
        if strategy.known_routes.any_kept:
            note_limits(data)
        if route is None:
            return
        if self._not_supported:
            raise bad_request(model, self._not_supported)
        if call_type == _BATCH:
            return  # served by the alias's entry, which is where its file went
        readable = await with_readable_ids(user_api_key_dict, cache, data, call_type)
        if call_type in _OF_A_RESPONSE and entry_of_response(readable.get("response_id")):
            return  # served by the entry that gave the response, whatever the request names
        if call_type not in _SERVED:
            strategy.refuse(model, call_type)
        request = strategy.request(model, route, readable)
        decision = await strategy.adecide(request)
        routed = request.routed(decision, settled=True)
        await self._name_group(user_api_key_dict, data, routed, strategy, route)
        warn_of_limits(user_api_key_dict, model)
        drop_foreign_reasoning(model, decision.tier, data)
        drop_override(data)
        if call_type in CALLS:
            drop_unsupported(data, route, decision.tier, strategy.known_routes.models_of)
        ask_for_usage(user_api_key_dict, data, call_type)
        if strategy.known_routes.any_guarded:
            add_guardrails(data)
        await apply_group_settings(user_api_key_dict, model, data, call_type)

    async def _name_group(
        self,
        key: Any,
        data: dict[str, Any],
        routed: RoutedRequest,
        strategy: RouteLLMRoutingStrategy,
        route: Route,
    ) -> None:
        """Let a request name the group that was chosen, or what its key has in place of that."""

        def is_alias(name: str) -> bool:
            return strategy.find(name) is not None

        async def may_fall_back_to(name: str) -> bool:
            of_route = name in route.groups
            return of_route or (not is_alias(name) and await may_use(key, name))

        group = await named_by(key, routed.group, data, is_alias)
        if group != routed.group:
            routed = routed.served_as(group)
        routed.write_to(data)
        check_price(routed.group)
        data["model"] = await within_model_budgets(key, routed.group, data, may_fall_back_to)

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any]:
        """Leave out what the other group cannot read, where an attempt falls back to that; LiteLLM
        calls this before each attempt.
        """
        drop_reasoning_before_attempt(kwargs)
        return kwargs

    async def async_logging_hook(
        self, kwargs: dict[str, Any], result: Any, call_type: str
    ) -> tuple[dict[str, Any], Any]:
        """Log a request under the alias; LiteLLM calls this before any callback that logs."""
        log_under_the_alias(kwargs)
        return kwargs, result

    def logging_hook(
        self, kwargs: dict[str, Any], result: Any, call_type: str
    ) -> tuple[dict[str, Any], Any]:
        """Likewise, before integrations that LiteLLM runs on a thread, such as S3's."""
        log_under_the_alias(kwargs)
        return kwargs, result

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Charge what a request cost to the budgets for the group that answered, count it, remember
        who answered, and keep it where its route has ``shadow``.
        """
        note_answers(kwargs, response_obj)
        await charge_model_budgets(kwargs, response_obj, start_time, end_time)
        strategy = self._installed_strategy()
        if strategy is not None:
            routes = strategy.known_routes
            self._costs.note(kwargs, routes, strategy.access)
            await self._shadow.note(kwargs, response_obj, routes, strategy.access)

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Log a failed request under the alias."""
        log_under_the_alias(kwargs)

    def install_at_start(self) -> None:
        """Install the strategy as soon as the starting proxy has its Router.

        Before the first request, because not all of LiteLLM's endpoints call the hook above.
        """
        if not in_proxy():
            return
        with contextlib.suppress(RuntimeError):  # imported outside an event loop
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_task(self._install_when_possible())

    async def _install_when_possible(self) -> None:
        for _ in range(600):
            if self._installed_strategy() is not None:
                write_before_the_end()
                break
            await asyncio.sleep(0.1)

    def _routes(self) -> Iterable[Route]:
        return () if self._strategy is None else self._strategy.routes()

    def _find(self, model: str) -> Route | None:
        strategy = self._installed_strategy()
        return None if strategy is None else strategy.find(model)

    def _installed_strategy(self) -> RouteLLMRoutingStrategy | None:
        """Return the strategy, installed again if the Router is new or lost it."""
        router = proxy_router()
        if router is None:
            return None
        if self._strategy is None or not self._strategy.access.installed_on(router):
            self._strategy = RouteLLMRoutingStrategy(router)
            self._list_once_and_early()
            add_to(proxy_app())
            serve_status(proxy_app(), self._routes)
            let_groups_fall_back()
            let_groups_permit(self._find)
            try:
                strategy = self._strategy
                strategy.access.install(
                    strategy, strategy.entry_changed, self._refuse, strategy.find
                )
            except ConfigError as error:
                if self._not_supported is None:
                    logger.error("%s", error)
                self._not_supported = str(error)
            except Exception:
                logger.exception("aliases that are reached as a fallback are not routed")
            self._strategy.read()  # now, because models may be listed before any request
        return self._strategy

    def _refuse(self, model: str, call: str) -> None:
        """Refuse a kind of call as ``RouteLLMRoutingStrategy.refuse`` does, with an error that is
        answered with its line also by endpoints of LiteLLM that expect none.
        """
        try:
            if (strategy := self._installed_strategy()) is not None:
                strategy.refuse(model, call)
        except BadRequestError as error:
            raise HTTPException(error.status_code, error.message) from error

    def _list_once_and_early(self) -> None:
        """Let LiteLLM run this handler once, and before its own callbacks.

        LiteLLM lists it anew whenever it reads its config, and would run it as often on each
        request. What runs before it, such as a limiter of requests per model, has the alias for
        the group.
        """
        if self not in litellm.callbacks:
            return
        others = [each for each in litellm.callbacks if each is not self]
        own = (at for at, each in enumerate(others) if _is_of_litellm(each))
        at = min(next(own, len(others)), litellm.callbacks.index(self))
        # Another list: a request may be going through this one.
        litellm.callbacks = [*others[:at], self, *others[at:]]


def _is_of_litellm(callback: object) -> bool:
    package = type(callback).__module__.partition(".")[0]
    return isinstance(callback, str) or package in ("litellm", "litellm_enterprise")


end_on_mistakes()
proxy_handler = RouteLLMProxyHandler()
proxy_handler.install_at_start()
