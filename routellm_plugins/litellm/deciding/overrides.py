"""The threshold that a request sets, where its alias allows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from routellm_core import ConfigError
from routellm_core.overrides import overridden

from ..config.routes import Route, shortened
from ..reporting.routed_request import buckets

HEADER = "x-routellm-threshold"
KEY = "routellm_threshold"
"""In the request's ``metadata``."""


def with_override(route: Route, request: Mapping[str, Any]) -> Route:
    """Return a route with the threshold that a request sets; its header counts before its metadata.

    Args:
        route: of the alias. If it is a pattern's, the name of each model says the threshold. If
            it has no ``allow_override``, what the request sets is not looked at.
        request: its body, as LiteLLM hands it on.

    Raises:
        ConfigError: it sets what is no threshold, or one that is out of the limits.
    """
    limits = route.settings.allow_override
    if limits is None or "*" in route.name:
        return route
    given = _in_header(request)
    if given is None:
        given = next((bucket[KEY] for bucket in buckets(request) if KEY in bucket), None)
    if given is None:
        return route
    threshold = _number(given)
    limits.check(threshold)
    return replace(route, settings=overridden(route.settings, {"threshold": threshold}))


def drop_override(request: Mapping[str, Any]) -> None:
    """Remove from a request's metadata what was for routing: some providers refuse it."""
    for bucket in buckets(request):
        bucket.pop(KEY, None)


def _in_header(request: Mapping[str, Any]) -> object:
    sent = request.get("proxy_server_request")
    headers = sent.get("headers") if isinstance(sent, Mapping) else None
    return headers.get(HEADER) if isinstance(headers, Mapping) else None


def _number(given: object) -> float:
    if isinstance(given, (str, int, float)) and not isinstance(given, bool):
        try:
            return float(given)
        except (ValueError, OverflowError):
            pass
    raise ConfigError(f"{KEY} is {shortened(repr(given))}: write a threshold from 0 to 1")
