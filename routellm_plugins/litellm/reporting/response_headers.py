"""Response headers of a LiteLLM proxy that say how a request was routed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

_Scope = Any
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]

_announced: ContextVar[dict[str, str] | None] = ContextVar("routellm_headers", default=None)


def announce(headers: Callable[[], Mapping[str, str]]) -> None:
    """Let the response to the request that is being handled have headers.

    Only the first call in a request counts. Outside a request to a proxy, nothing happens.
    """
    announced = _announced.get()
    if announced is not None and not announced:
        announced.update(headers())


class AnnouncedHeaders:
    """ASGI middleware that adds what was announced.

    LiteLLM's own hook for headers is not called for messages and text completions that fail, nor
    told of an alias that is reached as a fallback.

    Args:
        app: the application it wraps.
    """

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[str, str] = {}
        token = _announced.set(headers)

        async def send_with_headers(message: Any) -> None:
            if headers and message["type"] == "http.response.start":
                added = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            _announced.reset(token)


def add_to(app: Any) -> None:
    """Let a Starlette application that has started add what is announced; once only."""
    stack = getattr(app, "middleware_stack", None)
    if stack is not None and not isinstance(stack, AnnouncedHeaders):
        app.middleware_stack = AnnouncedHeaders(stack)
