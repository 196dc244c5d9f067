"""Shadow mode of a ``litellm.Router`` that an application builds itself."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

import litellm
from litellm.integrations.custom_logger import CustomLogger

from ..config.routes import Routes
from ..groups.router_access import RouterAccess
from .keeping import ShadowLog


class Strategy(Protocol):
    """What routes the Router's requests."""

    access: RouterAccess

    def routes(self) -> Routes:
        """Return the Router's routes as they are now."""


_strategies: list[weakref.ref[Strategy]] = []
"""Of the Routers that are listened to, in the order in which they were installed."""


class RouterShadowLog(CustomLogger):
    """Keeps the requests of one Router, as long as the application holds that.

    Args:
        strategy: of the Router.
    """

    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        # LiteLLM takes two of a class for one, unless such an attribute tells them apart.
        self.number = id(strategy)
        self._strategy = weakref.ref(strategy)
        self._log = ShadowLog()

    def listen(self) -> None:
        """Be told of what succeeds. LiteLLM's callbacks are those of the whole process."""
        _strategies[:] = [each for each in _strategies if each() is not None]
        _strategies.append(self._strategy)
        litellm.logging_callback_manager.add_litellm_callback(self)

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Keep a request; LiteLLM calls this after the answer."""
        strategy = self._strategy()
        if strategy is not None and _owner(kwargs) is strategy:
            await self._log.note(kwargs, response_obj, strategy.routes(), strategy.access)

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Keep a request of a call that was not async; LiteLLM calls this on a thread."""
        strategy = self._strategy()
        if strategy is not None and _owner(kwargs) is strategy:
            asyncio.run(self._log.note(kwargs, response_obj, strategy.routes(), strategy.access))


def _owner(kwargs: Mapping[str, Any]) -> Strategy | None:
    """Return the strategy of the Router that made a call: of several with the deployment that
    answered, the last one.
    """
    payload = kwargs.get("standard_logging_object")
    deployment = payload.get("model_id") if isinstance(payload, Mapping) else None
    for reference in reversed(_strategies):
        strategy = reference()
        entries = () if strategy is None else strategy.access.entries()
        if any((entry.get("model_info") or {}).get("id") == deployment for entry in entries):
            return strategy
    return None
