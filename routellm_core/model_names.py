"""Model names that carry a router and a threshold, as RouteLLM's clients write them."""

from __future__ import annotations

import re

from .errors import ConfigError

_PREFIX = "router-"
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")

# Names come from clients, and are looked at on a gateway's event loop.
_LONGEST = 100


def parse_model_name(name: str) -> tuple[str, float] | None:
    """Return the router and the threshold of a name like ``router-mf-0.63``; None for others.

    Names of more than 100 characters are others.

    Raises:
        ConfigError: the name has that form but its threshold is above 1.
    """
    if len(name) > _LONGEST or not name.startswith(_PREFIX):
        return None
    router, _, number = name.removeprefix(_PREFIX).rpartition("-")
    if not router or not _NUMBER.fullmatch(number):
        return None
    threshold = float(number)
    if threshold > 1.0:
        raise ConfigError(f"model '{name}': the threshold {threshold:g} must be in [0, 1]")
    return router, threshold
