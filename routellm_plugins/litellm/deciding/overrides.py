"""What a request sets about routing, where its alias allows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from routellm_core import ConfigError, RouteLLMError
from routellm_core.overrides import PREFIX, overridden
from routellm_core.policy.policies import policy_of
from routellm_core.settings import HOW_MUCH, unknown

from ..config.routes import Route, shortened
from ..config.settings import Limits
from ..reporting.routed_request import buckets

_NUMBERS = {
    "threshold": (1.0, "a threshold from 0 to 1"),
    "strong_share": (1.0, "a share from 0 to 1"),
    "saving": (1.0, "the part to save, from 0 to 1"),
    "max_cost_per_1k_requests": (math.inf, "dollars, 0 or more"),
}
"""The largest value of each wish in numbers, and what to write."""

_BY_LABELS = ("max_quality_loss", "confidence")

_HEADERS = {f"x-routellm-{key.replace('_', '-')}": key for key in (*HOW_MUCH, *_BY_LABELS)}
_KEYS = frozenset(PREFIX + key for key in HOW_MUCH)
"""In the request's ``metadata``."""


def with_override(route: Route, request: Mapping[str, Any]) -> Route:
    """Return a route with the wish that a request has; its headers count before its metadata.

    Args:
        route: of the alias. If it is a pattern's, the name of each model says the threshold. If
            it has no ``allow_override``, what the request sets is not looked at.
        request: its body, as LiteLLM hands it on.

    Raises:
        ConfigError: the request has several wishes, or one that is malformed or not allowed.
    """
    allowed = route.settings.allow_override
    if allowed is None or "*" in route.name:
        return route
    wish = next(filter(None, _wishes(request)), None)
    if wish is None:
        return route
    values = {key: _value(key, given, allowed) for key, given in wish.items()}
    settings = overridden(route.settings, values)
    if settings.threshold is not None:
        allowed.check(settings.threshold)
    ((key, value),) = values.items()
    return replace(route, settings=settings, wish="" if key == "threshold" else f"{key} {value}")


def check_wish(route: Route) -> None:
    """Make sure that the threshold to which a request's wish comes is within the limits; loads the
    router, if that is not loaded.

    Raises:
        ConfigError: it is not.
        RouteLLMError: the wish is impossible, or there is no such router.
    """
    allowed = route.settings.allow_override
    # A calibration is the operator's own choice.
    if not route.wish or allowed is None or route.settings.calibration is not None:
        return
    try:
        threshold = policy_of(route.settings).threshold
    except RouteLLMError:
        raise
    except Exception:
        return  # so will the decision, which goes to on_error for that
    allowed.check(threshold, route.wish)


def drop_override(request: Mapping[str, Any]) -> None:
    """Remove from a request's metadata what was for routing: some providers refuse it."""
    for bucket in buckets(request):
        for key in _KEYS & bucket.keys():
            del bucket[key]


def _wishes(request: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """Yield what a request sets about routing, by the name of the setting, place by place.

    Raises:
        ConfigError: a name in the metadata stands for no setting.
    """
    sent = request.get("proxy_server_request")
    headers = sent.get("headers") if isinstance(sent, Mapping) else None
    if isinstance(headers, Mapping):
        yield {key: headers[name] for name, key in _HEADERS.items() if name in headers}
    for bucket in buckets(request):
        given = {
            name.removeprefix(PREFIX): value
            for name, value in bucket.items()
            if isinstance(name, str) and name.startswith(PREFIX) and value is not None
        }
        for key in given.keys() - {*HOW_MUCH, *_BY_LABELS}:
            raise ConfigError(unknown("setting", shortened(key), HOW_MUCH, " in the metadata"))
        yield given


def _value(key: str, given: object, allowed: Limits) -> float | str:
    if key == "calibration":
        return allowed.calibration(given)
    if key in _BY_LABELS:
        raise ConfigError(
            f"a request cannot set '{key}', which needs labels and so comes by calibration: "
            f"{allowed.offered()}"
        )
    most, what = _NUMBERS[key]
    if isinstance(given, (str, int, float)) and not isinstance(given, bool):
        try:
            number = float(given)
        except (ValueError, OverflowError):
            number = math.nan
        if 0 <= number <= most and number < math.inf:
            return number
    raise ConfigError(f"{PREFIX}{key} is {shortened(repr(given))}: write {what}")
