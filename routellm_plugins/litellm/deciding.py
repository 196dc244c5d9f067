"""Decide on a request, whatever happens: a failure of ours must not become the client's."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from routellm_core import Decision, RouteLLMError
from routellm_core.policies import apolicy_of, policy_of

from .conversation import stay_on_tier
from .request import Request, RoutedRequest, routed_request
from .routes import Route

logger = logging.getLogger(__name__)

Entries = Iterable[Mapping[str, Any]]


def decide(request: Request, route: Route, entries: Entries) -> RoutedRequest:
    """Decide where a request goes; a retry goes where the first attempt went.

    Args:
        request: the request.
        route: the route of the model asked for.
        entries: the Router's model list.

    Raises:
        RouteLLMError: the route's router does not exist or cannot be loaded.
    """
    try:
        text = request.text()
        before = _decided_before(request, text)
        if before is not None:
            return before
        policy = policy_of(route.settings)
        decision = stay_on_tier(request.kwargs, route, policy, entries)
        return _routed(request, text, route, decision or policy.decide(text))
    except Exception as error:
        return _on_error(request, route, error)


async def adecide(request: Request, route: Route, entries: Entries) -> RoutedRequest:
    """Like ``decide``, without holding up the event loop."""
    try:
        text = request.text()
        before = _decided_before(request, text)
        if before is not None:
            return before
        policy = await apolicy_of(route.settings)
        decision = stay_on_tier(request.kwargs, route, policy, entries)
        return _routed(request, text, route, decision or await policy.adecide(text))
    except Exception as error:
        return _on_error(request, route, error)


async def prepare(route: Route) -> None:
    """Load the route's router, so that one that cannot be loaded is told before LiteLLM routes.

    Raises:
        RouteLLMError: it does not exist or cannot be loaded.
    """
    try:
        await apolicy_of(route.settings)
    except RouteLLMError:
        raise
    except Exception:
        logger.debug("the router of '%s' failed to load", route.name, exc_info=True)


def _decided_before(request: Request, text: str | None) -> RoutedRequest | None:
    before = routed_request(request.kwargs)
    # Of the same words: applications may use one metadata dict for many requests.
    same = before is not None and (before.alias, before.fingerprint) == (request.model, hash(text))
    return before if same else None


def _routed(request: Request, text: str | None, route: Route, decision: Decision) -> RoutedRequest:
    return RoutedRequest(request.model, route.settings.group(decision.tier), decision, hash(text))


def _on_error(request: Request, route: Route, error: Exception) -> RoutedRequest:
    if isinstance(error, RouteLLMError):
        raise error
    settings = route.settings
    logger.error(
        "a request for '%s' goes to the %s model", route.name, settings.on_error, exc_info=error
    )
    threshold = settings.threshold if settings.threshold is not None else math.nan
    cause = f"error:{type(error).__name__}"
    decision = Decision(settings.on_error, None, threshold, settings.router, cause, elapsed_ms=0.0)
    return RoutedRequest(request.model, settings.group(decision.tier), decision, fingerprint=0)
