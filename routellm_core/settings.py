"""The settings of routing, validated in one place for all adapters."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from .decision import Tier
from .errors import ConfigError, did_you_mean
from .prompt.patterns import EXTRACT, IGNORE, check_pattern


def _no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write a number")
    return value


Number = Annotated[float, BeforeValidator(_no_truth_value), Field(allow_inf_nan=False)]
"""A finite number, and no yes or no, which YAML makes of ``on`` and pydantic would take for 1."""


def _as_text(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_tokens(value: object) -> object:
    if value is not None and _two_numbers(value) is None:
        raise ValueError("write two numbers, such as [500, 300]: tokens read and written")
    return _two_numbers(value)


def _as_price(value: object) -> object:
    if value is None or (isinstance(value, str) and value.strip() and "," not in value):
        return value
    price = _two_numbers(value)
    if price is None:
        raise ValueError(
            "write dollars for a million tokens read and a million written, such as [2.5, 10], or "
            "the model's name in LiteLLM's table"
        )
    return price


def _two_numbers(value: object) -> tuple[float, float] | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    numbers = [each for each in value if isinstance(each, (int, float)) and each is not True]
    if len(numbers) != 2 or not all(0 <= each < math.inf for each in numbers):
        return None
    return float(numbers[0]), float(numbers[1])


def _as_ignored(value: object) -> object:
    return _as_patterns(value, IGNORE, groups=0)


def _as_extracting(value: object) -> object:
    return _as_patterns(value, EXTRACT, groups=1)


def _as_patterns(value: object, ready: Mapping[str, str], groups: int) -> tuple[str, ...]:
    patterns = (value,) if isinstance(value, str) else value
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(p, str) for p in patterns):
        raise ValueError(
            f"write regular expressions, or names of predefined ones: {', '.join(sorted(ready))}"
        )
    for pattern in patterns:
        check_pattern(pattern, ready, groups)
    return tuple(patterns)


Price = Annotated[tuple[float, float] | str | None, BeforeValidator(_as_price)]
Tokens = Annotated[tuple[float, float] | None, BeforeValidator(_as_tokens)]

HOW_MUCH = ("threshold", "strong_share", "saving", "max_cost_per_1k_requests", "calibration")
"""Settings of which one says how much goes to the strong model."""


class PolicySettings(BaseModel):
    """Settings that turn scores into tiers. Adapters add those of their framework."""

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
    saving: Number | None = Field(
        default=None, ge=0.0, le=1.0, description="how much cheaper than always strong: .6 is 60 %"
    )
    max_cost_per_1k_requests: Number | None = Field(
        default=None, ge=0.0, description="most dollars that 1,000 usual requests may cost"
    )
    strong_price: Price = Field(
        default=None,
        description="dollars for a million tokens read and written, or a name in LiteLLM's table",
    )
    weak_price: Price = Field(default=None, description="the same of the weak model")
    tokens_per_request: Tokens = Field(
        default=None, description="means of what a request reads and writes"
    )
    calibration: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        default=None, description="file of `routellm calibrate` that holds the threshold"
    )
    adapt: Annotated[bool | str, BeforeValidator(_as_text)] = Field(
        default=False,
        description="move the threshold to keep the share; a path: keep it in that file",
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
    hold: Literal["off", "cache"] = Field(
        default="off",
        description="'cache': stay on the strong model while its prompt cache is warm, if cheaper",
    )
    scored: Literal["last", "system+last", "all"] = Field(
        default="last",
        description="the human's last words, the system prompt before them, or everything",
    )
    ignore: Annotated[tuple[str, ...], BeforeValidator(_as_ignored)] = Field(
        default=(), description="patterns, or names of clients, of what is not the human's"
    )
    extract: Annotated[tuple[str, ...], BeforeValidator(_as_extracting)] = Field(
        default=(), description="patterns, or names of clients, whose group is the human's words"
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

    _of_one_call: bool = PrivateAttr(default=False)
    _owner: str = PrivateAttr(default="")

    @property
    def is_of_one_call(self) -> bool:
        """Whether some of them came with a call; there may be any number of such settings."""
        return self._of_one_call

    @property
    def owner(self) -> str:
        """Whose they are, such as a routed alias and its two models; empty if nobody said. What is
        counted and remembered of calls is kept apart by it.
        """
        return self._owner

    @property
    def subject(self) -> str:
        """How a log line about these settings begins."""
        router = f"router '{self.router}'"
        return f"{self._owner}: {router}" if self._owner else router

    @model_validator(mode="before")
    @classmethod
    def _router_with_its_address(cls, values: Any) -> Any:
        """Read ``router: {remote: URL}``."""
        router = values.get("router") if isinstance(values, dict) else None
        if not isinstance(router, Mapping):
            return values
        if list(router) != ["remote"]:
            raise ValueError(
                "'router' is a name, or {remote: URL} for a server of `routellm serve`"
            )
        options = values.get("router_options") or {}
        if not isinstance(options, Mapping):
            return {**values, "router": "remote"}
        options = {**options, "url": router["remote"]}
        return {**values, "router": "remote", "router_options": options}

    @model_validator(mode="after")
    def _one_way_to_say_how_much(self) -> PolicySettings:
        given = [f"'{key}'" for key in HOW_MUCH if getattr(self, key) is not None]
        if len(given) > 1:
            every = "both" if len(given) == 2 else "all of"
            raise ValueError(f"{every} {' and '.join(given)} are set: keep one of them")
        if self.adapt and self.threshold is not None:
            raise ValueError(
                "'adapt' keeps a share, and 'threshold' sets none: set strong_share, or remove "
                "'adapt'"
            )
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


def of_one_call(settings: S) -> S:
    """Return the same settings, marked as those of one call."""
    marked = settings.model_copy()
    marked._of_one_call = True
    return marked


def belonging_to(settings: S, owner: str) -> S:
    """Return the same settings, marked with their owner."""
    marked = settings.model_copy()
    marked._owner = owner
    return marked


def with_prices(settings: S, strong: object, weak: object) -> S:
    """Return settings in which a model has a price, unless it has one already.

    Args:
        settings: validated.
        strong: what is known of the strong model's price: a pair as in ``strong_price``, the
            model's name, which LiteLLM's table may have, or None.
        weak: the same of the weak model.
    """
    known = {"strong_price": strong, "weak_price": weak}
    added = {name: price for name, price in known.items() if getattr(settings, name) is None}
    return settings.model_copy(update=added) if any(added.values()) else settings


def unknown(what: str, key: str, known: Iterable[str], where: str = "") -> str:
    """Return the error message for an unknown setting.

    Args:
        what: a word for settings, such as ``key``.
        key: what the user wrote.
        known: the names that would have been right.
        where: what to say after the key.
    """
    if key in ("max_quality_loss", "confidence"):
        return (
            f"'{key}' needs labels: run routellm calibrate --labelled pairs.jsonl "
            "--max-quality-loss 0.02 --confidence 0.95 --out support.json, and set "
            "calibration: support.json"
        )
    return f"unknown {what} '{key}'{where}: {did_you_mean(key, known)}"


def _explain(kind: type[BaseModel], error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return unknown("key", key, kind.model_fields)
    message = str(error["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "missing":
        return f"'{key}' is missing"
    return f"'{key}' is {error['input']!r}: {message}" if key else message
