"""Model names that carry a router and a threshold, as RouteLLM's clients write them."""

from __future__ import annotations

import re

from .errors import ConfigError

_PATTERN = re.compile(r"router-(?P<router>.+)-(?P<threshold>[0-9]*\.?[0-9]+)")


def parse_model_name(name: str) -> tuple[str, float] | None:
    """Return the router and the threshold of a name like ``router-mf-0.116``; None for others.

    Raises:
        ConfigError: the name has that form but its threshold is above 1.
    """
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    threshold = float(match["threshold"])
    if threshold > 1.0:
        raise ConfigError(f"model '{name}': the threshold {threshold:g} must be in [0, 1]")
    return match["router"], threshold
