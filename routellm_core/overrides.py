"""Settings that a single call brings, for frameworks whose calls have parameters of their own."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from .errors import ConfigError
from .settings import HOW_MUCH, S, belonging_to, of_one_call, unknown, validate_settings

PER_CALL = ("router", *HOW_MUCH)
"""Settings that a call can override."""

PREFIX = "routellm_"
"""Marks an override among the parameters of a call."""


def take_overrides(parameters: MutableMapping[str, Any]) -> dict[str, Any]:
    """Take what is about routing out of a call's parameters.

    Args:
        parameters: of the call. Those whose names begin with ``routellm_`` are removed.

    Returns:
        Their values, by the name of the setting.

    Raises:
        ConfigError: such a name stands for no setting that a call can override.
    """
    values = {}
    for name in list(parameters):
        if not name.startswith(PREFIX):
            continue
        key = name.removeprefix(PREFIX)
        if key not in PER_CALL:
            raise ConfigError(unknown("setting", key, PER_CALL, f" in '{name}'"))
        values[key] = parameters.pop(name)
    return values


def overridden(settings: S, *layers: Mapping[str, Any]) -> S:
    """Return the settings of one call.

    A value of None stands for none. What is in ``HOW_MUCH`` replaces each other, nothing is
    adapted, and another router is loaded without ``router_options``, which are for the router they
    were set for.

    Args:
        settings: those of the model that is called.
        layers: values of settings in ``PER_CALL``; a later layer wins over an earlier one.

    Returns:
        ``settings`` itself, if no layer has a value.

    Raises:
        ConfigError: a value is of the wrong type or out of range, or one layer has two
            of ``HOW_MUCH``.
    """
    values: dict[str, Any] = {}
    for layer in filter(None, layers):
        given = {key: value for key, value in layer.items() if value is not None}
        if any(key in given for key in HOW_MUCH):
            values.update(dict.fromkeys(HOW_MUCH))
        values.update(given)
    if not values:
        return settings
    if values.get("router", settings.router) != settings.router:
        values["router_options"] = {}
    own = {name: getattr(settings, name) for name in type(settings).model_fields}
    # What adapts to all calls is not for one of them to move, or to keep in a file.
    found = validate_settings(type(settings), {**own, "adapt": False, **values})
    return of_one_call(belonging_to(found, settings.owner))
