"""What was asked for, and the threshold that gives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import ConfigError, DataError
from ...rules.budget import Costs, threshold_for_cost, threshold_for_saving
from ...rules.risk import bounded_loss
from ...rules.share import threshold_in
from ..metrics import Floats
from .sample import Sample

STRONG_SHARE, SAVING = "strong_share", "saving"
MAX_COST, MAX_LOSS = "max_cost_per_1k_requests", "max_quality_loss"
CONFIDENCE = "confidence"


@dataclass(frozen=True)
class Choice:
    """A threshold, and what holds of it."""

    threshold: float
    rule: dict[str, float]
    """What was asked for."""
    guarantee: str | None = None
    """What is guaranteed, in words."""


def choose(
    wish: str,
    value: float,
    sample: Sample,
    *,
    costs: Costs | None = None,
    confidence: float = 0.95,
    quantiles: Floats | None = None,
) -> Choice:
    """Return the threshold that a wish asks for.

    Args:
        wish: one of ``STRONG_SHARE``, ``SAVING``, ``MAX_COST`` and ``MAX_LOSS``.
        value: how much of it.
        sample: what it is to hold for.
        costs: of the sample's requests, for ``SAVING`` and ``MAX_COST``.
        confidence: for ``MAX_LOSS``.
        quantiles: of the router's scores over usual traffic, if it has them.

    Raises:
        ConfigError: the wish cannot be met.
        DataError: the labels allow no threshold.
    """
    if wish == STRONG_SHARE:
        return Choice(threshold_in(sample.scores, value), {wish: value})
    if wish == MAX_LOSS:
        return _bounded(value, sample, confidence, quantiles)
    if costs is None:
        raise ConfigError(
            f"'{wish}' needs prices: name --strong-model and --weak-model as in LiteLLM's table, "
            "or give --strong-price and --weak-price, such as 2.5,10"
        )
    threshold_of = threshold_for_saving if wish == SAVING else threshold_for_cost
    return Choice(threshold_of(sample.scores, costs, value), {wish: value})


def _bounded(
    max_loss: float, sample: Sample, confidence: float, quantiles: Floats | None
) -> Choice:
    if sample.strong is None or sample.weak is None:
        raise ConfigError(f"'{MAX_LOSS}' needs labels of both models: give --labelled pairs.jsonl")
    if np.array_equal(sample.strong, sample.weak):
        raise DataError(
            f"both models have the same quality in all {len(sample.scores):,} rows, so these "
            "labels cannot bound a loss: check them, or use the cheaper model"
        )
    found = bounded_loss(
        sample.scores,
        sample.strong,
        sample.weak,
        max_loss=max_loss,
        confidence=confidence,
        quantiles=quantiles,
    )
    n = len(sample.scores)
    if found.threshold is None:
        remedy = (
            f"about {_round(found.labels_needed)} labels would likely do, if these are typical"
            if found.labels_needed
            else "more labels would hardly do: allow a larger loss, or use another router"
        )
        raise DataError(
            f"no threshold qualifies: {n:,} labels do not show, with confidence {confidence:g}, "
            f"that routing loses at most {max_loss:g}; {remedy}"
        )
    test = "exact test" if found.exact else "test by betting"
    return Choice(
        found.threshold,
        {MAX_LOSS: max_loss, CONFIDENCE: confidence},
        f"with confidence {confidence:g}, mean quality is at most {max_loss:g} below always strong "
        f"on prompts like these ({n:,} labels, {test})",
    )


def _round(labels: int | None) -> str:
    """Return a number of labels to two digits, as an estimate is."""
    return f"{int(float(f'{labels or 0:.2g}')):,}"
