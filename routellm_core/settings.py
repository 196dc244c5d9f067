"""What a user can set about routing, validated in one place for every adapter."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from .decision import Tier
from .errors import ConfigError, did_you_mean


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write a number")
    return value


Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
"""A finite number, and no yes or no, which YAML makes of ``on`` and pydantic would take for 1."""


def _as_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


HOW_MUCH = ("threshold", "strong_share", "calibration")
"""Settings of which one says how much goes to the strong model."""


class PolicySettings(BaseModel):
    """How scores become tiers. Adapters extend it with what their framework needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    router: str = Field(default="mf", description="name of the router")
    router_options: dict[str, Any] = Field(
        default_factory=dict, description="what load_router takes for that router"
    )
    threshold: Number | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="least strong win rate that goes to the strong model",
    )
    strong_share: Number | None = Field(
        default=None, ge=0.0, le=1.0, description="share of usual traffic for the strong model"
    )
    calibration: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        default=None, description="file of `routellm calibrate` that holds the threshold"
    )
    on_error: Tier = Field(default="strong", description="where a request goes when scoring fails")
    on_no_text: Tier = Field(default="strong", description="where a request without text goes")
    timeout_ms: Number = Field(
        default=1000.0,
        gt=0.0,
        le=3_600_000.0,
        description="time budget of a router that is not instant, in ms",
    )
    concurrency: Annotated[int, BeforeValidator(_no_truth_value)] = Field(
        default=32,
        ge=1,
        le=1000,
        description="threads that score, for a router that is not instant and names no number",
    )
    turns: Annotated[int, BeforeValidator(_no_truth_value)] = Field(
        default=20,
        ge=1,
        le=1000,
        description="how many of the human's last turns may decide; 1: only the last",
    )
    sticky: Literal["turn", "conversation"] = Field(
        default="turn",
        description="'conversation': once an answer came from the strong model, all further do",
    )

    utility: Literal["weak", "strong", "score"] = Field(
        default="weak",
        description="where calls go that serve the application, such as titles and summaries",
    )

    explore: Number = Field(
        default=0.0,
        ge=0.0,
        le=0.5,
        description="share of scored calls that go to the other model at random",
    )

    @model_validator(mode="after")
    def _one_way_to_say_how_much(self) -> PolicySettings:
        given = [f"'{key}'" for key in HOW_MUCH if getattr(self, key) is not None]
        if len(given) > 1:
            every = "both" if len(given) == 2 else "all of"
            raise ValueError(f"{every} {' and '.join(given)} are set: keep one of them")
        return self


S = TypeVar("S", bound=PolicySettings)
M = TypeVar("M", bound=BaseModel)


def validate_settings(kind: type[M], values: dict[str, Any]) -> M:
    """Return ``kind(**values)``, with mistakes reported in one line.

    Raises:
        ConfigError: an unknown key (the nearest valid one is named), a value of the wrong type
            or out of range, or values that contradict each other.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(kind, e) for e in error.errors())) from None


def _explain(kind: type[BaseModel], error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key '{key}': {did_you_mean(key, kind.model_fields)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "missing":
        return f"'{key}' is missing"
    return f"'{key}' is {error['input']!r}: {message}" if key else message
