"""The values that a store keeps: a request with its decision, an answer, and feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...decision import Decision, Tier

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What a model answered, or why it did not."""

    tier: Tier
    model: str | None = None
    text: str | None = None
    text_sha256: str | None = None
    error: str | None = None
    """Why there is no answer: ``error:<Type>``, ``timeout``, ``budget``, ``price``, ``queue``,
    ``memory``, or ``paused``: its last calls failed."""
    input_tokens: int | None = None
    cached_tokens: int | None = None
    """Those of ``input_tokens`` that the provider read from its cache."""
    output_tokens: int | None = None
    cost_usd: float | None = None
    elapsed_ms: float | None = None
    shadow: bool = False
    """Whether the call was made in the background, for no user."""


@dataclass(frozen=True)
class Request:
    """A request and the decision on it."""

    request_id: str
    """By which feedback names it; unique."""
    at: float
    """When it came, in seconds since 1970."""
    route: str
    """Name of the alias, group or application."""
    decision: Decision
    acted: bool = True
    """Whether the request went where the decision says; False where it is observed alone."""
    answer_id: str | None = None
    """The id of the answer that the user got, by which feedback may name it too."""
    turns: int = 0
    """How many messages of the human it has."""
    prompt: str | None = None
    """What the human wrote last; of a sampled request alone."""
    prompt_sha256: str | None = None
    messages: Messages = ()
    """The conversation as it was sent; of a sampled request alone."""
    sampled: bool = False
    """Whether it was drawn for a shadow call, made or not."""
    propensity: float = 0.0
    """How likely it was to be drawn, in [0, 1]."""


@dataclass(frozen=True)
class Feedback:
    """How good an answer was."""

    request_id: str
    """``Request.request_id``, or its ``answer_id``."""
    score: float
    """In [0, 1]; 1 is best."""
    tier: Tier | None = None
    """Whose answer is meant; None: the answer that the user got."""
    name: str = "feedback"
    """Who or what judged. A later score of the same name takes the place of the earlier one."""


@dataclass(frozen=True)
class About:
    """What a store knows of a route, for the report."""

    models: Mapping[Tier, str | None] = field(default_factory=dict)
    prices: Mapping[Tier, Mapping[str, float]] = field(default_factory=dict)
    """Dollars for a million tokens: ``input``, ``cached`` (read from a cache) and ``output``."""
    target_share: float | None = None
    """Share of usual traffic that is to go to the strong model."""
    calibration: str | None = None
    """The calibration file that the threshold is from."""
    quantiles: Sequence[float] = ()
    """Of the scores of the calibration sample, ascending, at evenly spaced levels."""
    n: int | None = None
    """Size of the calibration sample."""
