"""Whether a strong win rate is the probability it claims to be.

A win rate of 0.7 is calibrated if, among queries scored 0.7, the strong model's answer is the
better one in 70 of 100, a tie counting as half a win. Here "better" means of higher quality in
the benchmark at hand. A router that learned from people's votes estimates what people prefer,
so it may rank queries well and yet be far off where ties are common, as when both are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import LEVEL, Estimate, interval, resamples
from .metrics import Floats

BINS = 10

FEWEST = 25
"""Queries in a bin: with fewer, there are fewer bins."""


@dataclass(frozen=True)
class Reliability:
    """How far strong win rates are from what happened. All figures are in [0, 1]."""

    ece: Estimate
    """Expected calibration error."""
    ece_of_noise: float
    """The calibration error that a perfectly calibrated score would show on as many queries."""
    brier: Estimate
    """Brier score: mean squared difference of win rate and outcome."""
    brier_of_mean: float
    """That of saying the mean outcome for each query: its variance."""
    score: Floats
    """Mean win rate in each bin, ascending, shape (b,)."""
    outcome: Floats
    """Mean outcome in each bin, shape (b,)."""
    low: Floats
    """Lower end of its 95 % interval, shape (b,)."""
    high: Floats
    """Upper end, shape (b,)."""
    count: NDArray[np.int64]
    """Queries in each bin, shape (b,)."""


def outcomes(strong: Floats, weak: Floats) -> Floats:
    """Return 1 where the strong model's answer is better, 0.5 for a tie and 0 where it is worse.

    Args:
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's, shape (n,).
    """
    result: Floats = (1 + np.sign(strong - weak)) / 2
    return result


def how_often_better(strong: Sequence[float], weak: Sequence[float]) -> float:
    """Return how often the strong model's answer to a prompt is better, a tie counting as half.

    Args:
        strong: qualities of several answers of the strong model.
        weak: likewise of the weak model; each of them is compared with each of the strong model's.
    """
    if len(strong) == len(weak) == 1:
        return (int(strong[0] > weak[0]) + int(strong[0] >= weak[0])) / 2
    ordered = np.sort(weak)
    below = sum(np.searchsorted(ordered, strong, side).mean() for side in ("left", "right"))
    return float(below / (2 * len(ordered)))


def reliability(
    scores: Floats,
    strong: Floats,
    weak: Floats,
    units: NDArray[np.int64] | None = None,
    *,
    better: Floats | None = None,
    bins: int | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Reliability:
    """Compare strong win rates with outcomes.

    ECE = sum over bins of count / n * |mean outcome - mean win rate| (Naeini, Cooper and
    Hauskrecht 2015, AAAI), in bins of equal mass (Nixon et al. 2019, arXiv 1904.01685): the
    queries in order of their score, cut into parts of equal size. Queries of equal score share a
    bin, so there may be fewer bins. The Brier score is that of Brier 1950.

    Noise alone makes the ECE greater than 0, and resampling adds as much again. So the interval
    starts at the ECE minus what noise explains in 97.5 % of resamples (by the triangle
    inequality) and ends at the bootstrap percentile, which covers the true value at least 95 % of
    the time. If it starts at 0, the score cannot be distinguished from a calibrated one. All
    intervals take the bins as given.

    Args:
        scores: strong win rates, shape (n,), each in [0, 1].
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's answers, shape (n,).
        units: the unit of each query, numbered from 0, shape (n,): queries of a unit are resampled
            together. None: each query is its own unit.
        better: how often the strong model's answer is the better one, a tie counting as half, where
            the qualities are means of several answers, shape (n,). None: 0, 0.5 or 1, by the
            qualities.
        bins: number of bins; None: ``BINS``, or fewer, so that each has at least ``FEWEST``
            queries.
        draws: number of resamples for the intervals.
        seed: random seed.
    """
    n = len(scores)
    outcome = outcomes(strong, weak) if better is None else better
    bin_of = _equal_mass(scores, bins or max(1, min(BINS, n // FEWEST)))
    b = int(bin_of.max()) + 1
    member = np.eye(b)[bin_of]
    squared = (scores - outcome) ** 2
    columns = np.hstack(
        [member, member * scores[:, None], member * outcome[:, None], squared[:, None]]
    )
    count, score_sum, outcome_sum, _ = np.split(columns.sum(axis=0), [b, 2 * b, 3 * b])
    gap = (outcome_sum - score_sum) / n
    ece = float(np.abs(gap).sum())

    blocks = resamples(np.arange(n) if units is None else units, draws, seed)
    # Not by a matrix product, whose last bits depend on the number of threads.
    sums = np.concatenate([np.einsum("rn,nk->rk", counts, columns) for counts in blocks])
    drawn, drawn_score, drawn_outcome, drawn_squared = np.split(sums, [b, 2 * b, 3 * b], axis=1)
    total = drawn.sum(axis=1, keepdims=True)
    drawn_gap = (drawn_outcome - drawn_score) / total
    noise = np.abs(drawn_gap - gap).sum(axis=1)
    least = max(0.0, ece - float(np.quantile(noise, (1 + LEVEL) / 2)))
    most = interval(np.abs(drawn_gap).sum(axis=1))[1]
    # A bin that a resample does not hold has no mean.
    means = np.divide(drawn_outcome, drawn, out=np.full_like(drawn, np.nan), where=drawn > 0)
    low, high = np.array([interval(column) for column in means.T]).T
    return Reliability(
        ece=Estimate(ece, least, max(ece, most)),
        ece_of_noise=float(noise.mean()),
        brier=Estimate(float(squared.mean()), *interval(drawn_squared[:, 0] / total[:, 0])),
        brier_of_mean=float(outcome.var()),
        score=score_sum / count,
        outcome=outcome_sum / count,
        low=low,
        high=high,
        count=count.astype(np.int64),
    )


def _equal_mass(scores: Floats, bins: int) -> NDArray[np.int64]:
    """Return the bin of each query, numbered from 0 without a gap, by its middle rank."""
    _, value, size = np.unique(scores, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(size) - size / 2
    wanted = (middle_rank * bins / len(scores)).astype(np.int64)
    numbered: NDArray[np.int64] = np.unique(wanted[value], return_inverse=True)[1]
    return numbered
