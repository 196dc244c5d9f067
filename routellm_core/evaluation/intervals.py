"""Bootstrap intervals: the same resamples for every router, so that differences are paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import Curves, Floats, Ranking

LEVEL = 0.95
"""How often an interval is to hold the truth."""

_BLOCK = 300_000
"""How many counts are held at once."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def resamples(units: NDArray[np.int64], draws: int, seed: int) -> Iterator[Floats]:
    """Yield how often each query is in each resample, some resamples at a time.

    Units of queries are drawn with replacement, as many as there are, so that dependent queries
    are drawn together.

    Args:
        units: the unit of each query, numbered from 0, shape (n,).
        draws: number of resamples.
        seed: random seed.

    Yields:
        Counts of shape (r, n); the r add up to ``draws``.
    """
    rng = np.random.default_rng(seed)
    m = int(units.max()) + 1
    block = max(1, _BLOCK // len(units))
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        picked = rng.integers(m, size=(rows, m)) + m * np.arange(rows)[:, None]
        counts = np.bincount(picked.ravel(), minlength=rows * m).reshape(rows, m)
        yield np.take(counts, units, axis=1).astype(np.float64)


def bootstrap_apgr(
    scores: Mapping[str, Floats],
    strong: Floats,
    weak: Floats,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Floats]:
    """Return the APGR of each router over resampled queries, the same for all routers.

    Args:
        scores: scores of each router, shape (n,).
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's answers, shape (n,).
        draws: number of resamples.
        seed: random seed.

    Returns:
        APGR of each router, shape (draws,); NaN for a resample in which the strong model is no
        better.
    """
    rankings = {name: Ranking(values) for name, values in scores.items()}
    blocks = [
        {name: Curves(ranking, counts, strong - weak).apgr() for name, ranking in rankings.items()}
        for counts in resamples(np.arange(len(strong)), draws, seed)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in scores}


def interval(draws: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of bootstrap ``draws``, shape (draws,), NaN left out.

    Both ends are NaN if all draws are. Quantile p is at position p (draws + 1), so that on average
    a share p of the distribution lies beyond it, however few draws there are (Hyndman and Fan
    1996, definition 6).
    """
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return np.nan, np.nan
    low, high = band(defined, level)
    return float(low), float(high)


def class_shares(counts: Floats, draws: int = 2000, seed: int = 0) -> Floats:
    """Return shares of classes that are likely by a sample, from their posterior.

    A class counts as seen 1/k times more than it was, k being their number (Perks's prior). So the
    shares allow for a class of which these n have none, which no bootstrap does.

    Args:
        counts: how many of the sample are in each class, any shape.
        draws: number of draws.
        seed: random seed.

    Returns:
        Shape (draws, ...); the shares of each draw add up to 1.
    """
    drawn = np.random.default_rng(seed).dirichlet(counts.ravel() + 1 / counts.size, draws)
    return drawn.reshape(draws, *counts.shape)


def band(draws: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return the percentile interval of each column: twice shape (s,).

    Args:
        draws: bootstrap draws of s figures, shape (draws, s), without NaN.
        level: confidence level of the intervals.
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(draws, ends, axis=0, method="weibull")
    return low, high
