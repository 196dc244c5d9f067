"""What the ``routellm`` part of a model_list entry may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from routellm_core import ConfigError, PolicySettings, Tier, validate_settings
from routellm_core.errors import did_you_mean
from routellm_core.settings import HOW_MUCH
from routellm_core.traffic.shadow.settings import EXAMPLE as SHADOW_EXAMPLE
from routellm_core.traffic.shadow.settings import ShadowSettings, shadow_settings

EXAMPLE = "{strong: gpt-4o, weak: gpt-4o-mini, strong_share: 0.3}"

_CARRIED_BY_THE_NAME = ("router", "router_options", *HOW_MUCH, "adapt")


class Limits(NamedTuple):
    """What requests may set about routing."""

    thresholds: tuple[float, float] | None
    """The least and the largest threshold that a wish in numbers may come to; None: requests may
    set none."""
    calibrations: Mapping[str, str]
    """Paths of calibration files, by the names under which requests may ask for them."""

    def check(self, threshold: float, wish: str = "") -> None:
        """Raise an error if requests may not set a threshold.

        Args:
            threshold: in [0, 1]; that no score reaches counts as 1.
            wish: what was set, if it was not the threshold itself.

        Raises:
            ConfigError: it is out of the limits.
        """
        least, most = self.thresholds or (0.0, 0.0)
        if self.thresholds is None:
            raise ConfigError(f"requests may set no threshold: {self.offered()}")
        if not least <= min(threshold, 1.0) <= most:
            of = f"{wish} comes to " if wish else ""
            raise ConfigError(
                f"{of}threshold {threshold:g}: requests may set one of {least:g} to {most:g}"
            )

    def calibration(self, name: object) -> str:
        """Return the path of the calibration file that requests may ask for under a name.

        Raises:
            ConfigError: there is none.
        """
        if not isinstance(name, str) or name not in self.calibrations:
            raise ConfigError(f"there is no such calibration: {self.offered()}")
        return self.calibrations[name]

    def offered(self) -> str:
        """Return what to say of the calibrations that there are."""
        if not self.calibrations:
            return "this model offers none to requests"
        return f"this model offers {', '.join(map(repr, self.calibrations))}"

    def __str__(self) -> str:
        """Return both, as `routellm check` prints them."""
        of = [] if self.thresholds is None else ["{:g} to {:g}".format(*self.thresholds)]
        return ", ".join([*of, *self.calibrations])


ANY = Limits((0.0, 1.0), {})
"""Any threshold."""

_EXAMPLE_LIMITS = "{min: 0.3, max: 0.9}"
_KEYS = ("min", "max", "calibrations")


def _as_limits(value: object) -> Limits | None:
    if value is None or value is False or isinstance(value, Limits):
        return value or None
    if not isinstance(value, Mapping):
        raise ValueError(f"write false, or the least and the largest threshold: {_EXAMPLE_LIMITS}")
    for key in value:
        if key not in _KEYS:
            raise ValueError(f"unknown key '{key}': {did_you_mean(str(key), _KEYS)}")
    calibrations = _calibrations(value.get("calibrations", {}))
    limits = {"min": 0.0, "max": 1.0, **{k: value[k] for k in ("min", "max") if k in value}}
    for key, number in limits.items():
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1:
            raise ValueError(f"'{key}' is {number!r}: write a threshold from 0 to 1")
    if limits["min"] > limits["max"]:
        raise ValueError(f"'min' is above 'max': write {_EXAMPLE_LIMITS}")
    # Who offers calibrations alone has not opened the thresholds.
    if calibrations and value.keys() == {"calibrations"}:
        return Limits(None, calibrations)
    return Limits((float(limits["min"]), float(limits["max"])), calibrations)


def _calibrations(value: object) -> dict[str, str]:
    texts = value.items() if isinstance(value, Mapping) else [("", "")]
    if not all(isinstance(each, str) and each for pair in texts for each in pair):
        raise ValueError(
            "'calibrations' are files by the names that requests use: write "
            "{careful: careful.json, cheap: cheap.json}"
        )
    return dict(texts)


class RouteSettings(PolicySettings):
    """The value of ``model_info.routellm``: which two model groups, and how to choose."""

    strong: str = Field(description="model group for prompts that need the strong model")
    weak: str = Field(description="model group for all other prompts")
    shadow: ShadowSettings | None = Field(
        default=None, description="for a sample of requests, call the other group as well"
    )
    observe: bool = Field(
        default=False, description="of an ordinary group: decide, keep, and change nothing"
    )

    allow_override: Annotated[Limits | None, BeforeValidator(_as_limits)] = Field(
        default=None,
        description="{min, max, calibrations}: what a request may set; false: nothing",
    )

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
    values = _with_text_keys(value)
    if values.get("shadow") is not None:
        if wildcard:
            raise ConfigError("remove 'shadow': it is for an alias without a * in model_name")
        values["shadow"] = shadow_settings(values["shadow"])
    settings = validate_settings(RouteSettings, values)
    if settings.observe and settings.shadow is None:
        raise ConfigError(f"'observe' needs to know where to: write shadow: {SHADOW_EXAMPLE}")
    given = [key for key in _CARRIED_BY_THE_NAME if key in settings.model_fields_set]
    if wildcard and given:
        raise ConfigError(
            f"remove {' and '.join(map(repr, given))}: with a * in model_name, each request's "
            "model says router and threshold, as in router-mf-0.63"
        )
    if wildcard and value.get("allow_override") is False:
        raise ConfigError(
            "'allow_override' is false, but with a * in model_name each request sets the "
            f"threshold: write allow_override: {_EXAMPLE_LIMITS}, or a model_name without *"
        )
    if wildcard and settings.allow_override and settings.allow_override.calibrations:
        raise ConfigError(
            "remove 'calibrations' from 'allow_override': with a * in model_name, each request's "
            f"model says the threshold: write allow_override: {_EXAMPLE_LIMITS}"
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
