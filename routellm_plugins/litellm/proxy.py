"""The callback that brings routing into a LiteLLM proxy: config.yaml names ``proxy_handler``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from routellm_core import ConfigError, RouteLLMError
from routellm_core.policy.policies import apolicy_of

from .routed_request import drop_forged_decisions, routed_request
from .start_check import end_on_mistakes
from .strategy import RouteLLMRoutingStrategy, bad_request

logger = logging.getLogger(__name__)

_PROXY = "litellm.proxy.proxy_server"
_SERVED = {
    "acompletion",
    "aanthropic_messages",
    "anthropic_messages",
    "aresponses",
    "atext_completion",
    "completion",
    "responses",
    "text_completion",
}


class RouteLLMProxyHandler(CustomLogger):
    """Installs the routing strategy on the proxy's Router, and reports decisions in headers."""

    def __init__(self) -> None:
        super().__init__()
        self._strategy: RouteLLMRoutingStrategy | None = None
        self._not_supported: str | None = None
        self._waiting: asyncio.Task[None] | None = None

    # LiteLLM skips a handler whose own class does not define this, so it cannot be inherited.
    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        """Prepare for a request; LiteLLM calls this before it routes.

        Raises:
            litellm.BadRequestError: the entry of the model asked for has a mistake, or it does
                not serve this kind of call.
        """
        drop_forged_decisions(data)
        strategy = self._installed_strategy()
        model = data.get("model")
        if strategy is None or not isinstance(model, str):
            return
        route = strategy.find(model)
        if route is None:
            return
        if self._not_supported:
            raise bad_request(model, self._not_supported)
        if call_type not in _SERVED:
            raise bad_request(
                model,
                f"'{model}' routes chat completions, responses and messages, not {call_type}: "
                "name a model group instead",
            )
        # Before LiteLLM routes, which would retry what no retry can mend.
        try:
            await apolicy_of(route.settings)
        except RouteLLMError as error:
            raise bad_request(model, error) from error
        except Exception:
            logger.debug("the router of '%s' failed to load", route.name, exc_info=True)

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: Any,
        response: Any,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """Return the headers that say how a request was routed."""
        routed = routed_request(data)
        return routed.headers() if routed else None

    def install_at_start(self) -> None:
        """Install the strategy as soon as the starting proxy has its Router.

        Before the first request, because not all of LiteLLM's endpoints call the hook above.
        """
        if _PROXY not in sys.modules:
            return
        with contextlib.suppress(RuntimeError):  # imported outside an event loop
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_task(self._install_when_possible())

    async def _install_when_possible(self) -> None:
        for _ in range(600):
            if self._installed_strategy() is not None:
                break
            await asyncio.sleep(0.1)

    def _installed_strategy(self) -> RouteLLMRoutingStrategy | None:
        """Return the strategy, installed again if the Router is new or lost it."""
        router = getattr(sys.modules.get(_PROXY), "llm_router", None)
        if router is None:
            return None
        if self._strategy is None or not self._strategy.access.installed_on(router):
            self._strategy = RouteLLMRoutingStrategy(router)
            try:
                self._strategy.access.install(self._strategy)
            except ConfigError as error:
                if self._not_supported is None:
                    logger.error("%s", error)
                self._not_supported = str(error)
        return self._strategy


end_on_mistakes()
proxy_handler = RouteLLMProxyHandler()
proxy_handler.install_at_start()
