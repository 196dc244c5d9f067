"""Decide on a call, whatever happens: a failure of ours must not become the user's."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from routellm_core import Decision, RoutingPolicy
from routellm_core.plugins import plugins

from ..policies import policies
from ..route_on import text_to_route_on
from .question import Asked
from .settings import RouteSettings

logger = logging.getLogger(__name__)


def decide(settings: RouteSettings, read: Callable[[], Asked]) -> Decision:
    """Decide where a call goes. Never raises.

    Args:
        settings: those of the ``RouteLLM``.
        read: finds what the call asks; not called inside ``route_on``.
    """
    start = time.perf_counter()
    try:
        policy = policies.get(settings)
        asked = _asked(read)
        return _without_score(asked, policy, start) or policy.decide(asked.text)
    except Exception as error:
        return _failed(settings, error, start)


async def adecide(settings: RouteSettings, read: Callable[[], Asked]) -> Decision:
    """Like ``decide``, without holding up the event loop."""
    start = time.perf_counter()
    try:
        policy = await policies.aget(settings)
        asked = _asked(read)
        return _without_score(asked, policy, start) or await policy.adecide(asked.text)
    except Exception as error:
        return _failed(settings, error, start)


def _asked(read: Callable[[], Asked]) -> Asked:
    text = text_to_route_on()
    return read() if text is None else Asked(text)


def _without_score(asked: Asked, policy: RoutingPolicy, start: float) -> Decision | None:
    if asked.tier is None:
        return None
    router = policy.settings.router
    elapsed_ms = (time.perf_counter() - start) * 1000
    decision = Decision(asked.tier, None, policy.threshold, router, "utility", elapsed_ms)
    plugins.decided(decision)
    return decision


def _failed(settings: RouteSettings, error: Exception, start: float) -> Decision:
    logger.error("a call goes to the %s model", settings.on_error, exc_info=error)
    threshold = settings.threshold if settings.threshold is not None else math.nan
    cause = f"error:{type(error).__name__}"
    elapsed_ms = (time.perf_counter() - start) * 1000
    return Decision(settings.on_error, None, threshold, settings.router, cause, elapsed_ms)
