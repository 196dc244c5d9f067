"""What one call can override about routing in LangChain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routellm_core import parse_model_name
from routellm_core.overrides import PER_CALL, overridden, take_overrides
from routellm_core.settings import S


def take_settings(settings: S, configurable: Mapping[str, Any], kwargs: dict[str, Any]) -> S:
    """Return the settings of one call. The model name wins over the arguments, and they win over
    the config.

    Args:
        settings: those of the model.
        configurable: of the call's config.
        kwargs: of the call; what is about routing is removed.

    Raises:
        ConfigError: a value is of the wrong type or out of range, values contradict each other, or
            the config has an unknown name that begins with ``routellm_``.
    """
    return overridden(
        settings,
        take_overrides(dict(configurable)),
        {key: kwargs.pop(key) for key in PER_CALL if key in kwargs},
        _take_model_name(kwargs),
    )


def _take_model_name(kwargs: dict[str, Any]) -> dict[str, Any]:
    model = kwargs.get("model")
    named = parse_model_name(model) if isinstance(model, str) else None
    if named is None:
        return {}
    del kwargs["model"]
    return {"router": named[0], "threshold": named[1]}
