"""What the ``routellm`` part of a model_list entry may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from routellm_core import ConfigError, PolicySettings, Tier, validate_settings
from routellm_core.settings import HOW_MUCH

EXAMPLE = "{strong: gpt-4o, weak: gpt-4o-mini, strong_share: 0.3}"

_CARRIED_BY_THE_NAME = ("router", "router_options", *HOW_MUCH, "adapt")


class RouteSettings(PolicySettings):
    """The value of ``model_info.routellm``: which two model groups, and how to choose."""

    strong: str = Field(description="model group for prompts that need the strong model")
    weak: str = Field(description="model group for all other prompts")

    def group(self, tier: Tier) -> str:
        """Return the model group that serves a tier."""
        return self.strong if tier == "strong" else self.weak


def parse_settings(value: object, *, wildcard: bool) -> RouteSettings:
    """Return the settings of one entry.

    Args:
        value: what stands under ``model_info.routellm``.
        wildcard: whether the entry's model_name holds a ``*``, so that the name of each request
            carries router and threshold.

    Raises:
        ConfigError: they are no mapping, hold an unknown key or a value out of range, or
            contradict each other or the name.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"model_info.routellm must be a mapping such as {EXAMPLE}")
    settings = validate_settings(RouteSettings, _with_text_keys(value))
    given = [key for key in _CARRIED_BY_THE_NAME if key in settings.model_fields_set]
    if wildcard and given:
        raise ConfigError(
            f"remove {' and '.join(map(repr, given))}: with a * in model_name, each request's "
            "model says router and threshold, as in router-mf-0.63"
        )
    if not wildcard and all(getattr(settings, key) is None for key in HOW_MUCH):
        raise ConfigError(
            "neither 'strong_share' nor 'threshold' is set: write strong_share: 0.3 to send "
            "about 30 % of usual traffic to the strong model"
        )
    return settings


def _with_text_keys(value: Mapping[Any, Any]) -> dict[str, Any]:
    # YAML reads `on:` or `1:` as keys that are no strings; pydantic would raise its own error.
    return {str(key): item for key, item in value.items()}
