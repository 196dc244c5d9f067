"""The callback that brings routing into a LiteLLM proxy: config.yaml names ``proxy_handler``."""

from __future__ import annotations

import sys
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from routellm_core import RouteLLMError

from .deciding import prepare
from .request import drop_forged_decisions, routed_request
from .start_check import end_on_mistakes
from .strategy import RouteLLMRoutingStrategy, bad_request

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
        if call_type not in _SERVED:
            raise bad_request(
                model,
                f"'{model}' routes chat completions, responses and messages, not {call_type}: "
                "name a model group instead",
            )
        try:
            await prepare(route)
        except RouteLLMError as error:
            raise bad_request(model, error) from error

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

    def _installed_strategy(self) -> RouteLLMRoutingStrategy | None:
        """Return the strategy, installed anew if the Router is new or lost it."""
        router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
        if router is None:
            return None
        if self._strategy is None or not self._strategy.access.installed_on(router):
            self._strategy = RouteLLMRoutingStrategy(router)
            self._strategy.access.install(self._strategy)
        return self._strategy


end_on_mistakes()
proxy_handler = RouteLLMProxyHandler()
