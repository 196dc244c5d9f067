"""What can be set about routing in LangChain, for a model and for one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from routellm_core import ConfigError, PolicySettings, parse_model_name, validate_settings
from routellm_core.errors import did_you_mean

PER_CALL = ("router", "threshold", "strong_share")
"""Settings that a call can override."""

_IN_CONFIG = "routellm_"
"""Before their names in a config's configurable."""

_HOW_MUCH = ("threshold", "strong_share")


class ChatSettings(PolicySettings):
    """How scores become tiers, and for how long."""

    sticky: Literal["turn", "conversation"] = Field(
        default="turn",
        description="'conversation': once an answer came from the strong model, all further do",
    )


def take_settings(
    settings: ChatSettings, configurable: Mapping[str, Any], kwargs: dict[str, Any]
) -> ChatSettings:
    """Return the settings of one call: what the model name says wins over what the arguments say,
    and that over what the config says.

    Args:
        settings: those of the model.
        configurable: of the call's config.
        kwargs: of the call; what is about routing is taken out.

    Raises:
        ConfigError: a value is of the wrong type or out of range, values contradict each other, or
            the config has a name of that form that means nothing.
    """
    layers = (
        _of_config(configurable),
        {key: kwargs.pop(key) for key in PER_CALL if key in kwargs},
        _take_model_name(kwargs),
    )
    values: dict[str, Any] = {}
    for layer in layers:
        given = {key: value for key, value in layer.items() if value is not None}
        if any(key in given for key in _HOW_MUCH):
            values.update(dict.fromkeys(_HOW_MUCH))
        values.update(given)
    if not values:
        return settings
    if values.get("router", settings.router) != settings.router:
        values["router_options"] = {}  # they are for the other router
    return validate_settings(ChatSettings, {**settings.model_dump(), **values})


def _of_config(configurable: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        name.removeprefix(_IN_CONFIG): value
        for name, value in configurable.items()
        if name.startswith(_IN_CONFIG)
    }
    for key in values:
        if key not in PER_CALL:
            raise ConfigError(
                f"unknown setting '{key}' in configurable's '{_IN_CONFIG}{key}': "
                f"{did_you_mean(key, PER_CALL)}"
            )
    return values


def _take_model_name(kwargs: dict[str, Any]) -> dict[str, Any]:
    model = kwargs.get("model")
    named = parse_model_name(model) if isinstance(model, str) else None
    if named is None:
        return {}
    del kwargs["model"]
    return {"router": named[0], "threshold": named[1]}
