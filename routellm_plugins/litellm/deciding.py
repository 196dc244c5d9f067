"""Decide on a request, whatever happens: a failure of ours must not become the client's."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from routellm_core import Decision, RouteLLMError

from .policies import policies
from .request import request_text
from .routes import Route

logger = logging.getLogger(__name__)

Messages = Sequence[Mapping[str, Any]] | None


def decide(route: Route, messages: Messages, request_kwargs: Mapping[str, Any]) -> Decision:
    """Decide where a request goes.

    Args:
        route: the route of the model asked for.
        messages: its conversation.
        request_kwargs: the request.

    Raises:
        RouteLLMError: the route's router does not exist or cannot be loaded.
    """
    try:
        return policies.get(route.settings).decide(request_text(messages, request_kwargs))
    except Exception as error:
        return _on_error(route, error)


async def adecide(route: Route, messages: Messages, request_kwargs: Mapping[str, Any]) -> Decision:
    """Like ``decide``, without holding up the event loop."""
    try:
        policy = await policies.aget(route.settings)
        return await policy.adecide(request_text(messages, request_kwargs))
    except Exception as error:
        return _on_error(route, error)


async def prepare(route: Route) -> None:
    """Load the route's router, so that one that cannot be loaded is told before LiteLLM routes.

    Raises:
        RouteLLMError: it does not exist or cannot be loaded.
    """
    try:
        await policies.aget(route.settings)
    except RouteLLMError:
        raise
    except Exception:
        logger.debug("the router of '%s' failed to load", route.name, exc_info=True)


def _on_error(route: Route, error: Exception) -> Decision:
    if isinstance(error, RouteLLMError):
        raise error
    tier = route.settings.on_error
    logger.error("a request for '%s' goes to the %s model", route.name, tier, exc_info=error)
    threshold = route.settings.threshold if route.settings.threshold is not None else math.nan
    cause = f"error:{type(error).__name__}"
    return Decision(tier, None, threshold, route.settings.router, cause, elapsed_ms=0.0)
