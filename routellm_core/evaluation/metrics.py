"""How much of the gap between two models a router recovers, and at what cost.

Definitions of RouteLLM (arXiv 2406.18665, section 2): with r the mean quality, and c the share
of queries sent to the strong model,

    PGR(c) = (r(router at c) - r(weak)) / (r(strong) - r(weak)),   APGR = integral of PGR over c,
    CPT(x) = least c at which PGR(c) >= x.

c takes one step per query, and PGR is linear between steps. Queries with equal scores count as if
in random order, so a constant score has exactly the value of chance. A resample is represented by
how often it contains each query, and many resamples are measured at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS = 10
"""RouteLLM's APGR is taken at the thresholds that cut the scores into this many equal parts."""

_ROUNDING = 1e-12


class Ranking:
    """Queries in the order in which a router sends them to the strong model.

    Args:
        scores: shape (n,); queries with higher scores go to the strong model first.
    """

    def __init__(self, scores: Floats) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

    def ordered(self, values: Floats) -> Floats:
        """Return values per query, shape (..., n), in this order."""
        return np.take(values, self._order, axis=-1)

    def summed(self, ordered: Floats) -> Floats:
        """Return the sums over the first 0, 1, ... g groups of queries of equal score.

        Args:
            ordered: a value per query in this order, shape (r, n).

        Returns:
            Shape (r, g + 1), the first of each row 0, the last the sum over all.
        """
        if len(self._starts) < ordered.shape[1]:
            ordered = np.add.reduceat(ordered, self._starts, axis=1)
        sums = np.zeros((len(ordered), len(self._starts) + 1))
        np.cumsum(ordered, axis=1, out=sums[:, 1:])
        return sums


class Curves:
    """The gain in quality from calls of the strong model, on r resamples of n queries.

    Figures that divide by the gap are NaN for a resample in which the strong model is no better.

    Args:
        ranking: the router's order of the queries.
        counts: how often each resample contains each query, shape (r, n).
        gains: quality of the strong model's answer minus that of the weak one's, shape (n,).
    """

    def __init__(self, ranking: Ranking, counts: Floats, gains: Floats) -> None:
        self._ranking = ranking
        self._counts = ranking.ordered(counts)
        self._calls = ranking.summed(self._counts)
        self._gained = ranking.summed(self._counts * ranking.ordered(gains))
        self._n = self._calls[:, -1]
        # Sums of 0.1, 0.2 and -0.3 are not 0, and not the same in every order.
        least = _ROUNDING * self._n * np.abs(gains).max()
        self._total = np.where(self._gained[:, -1] > least, self._gained[:, -1], np.nan)

    def apgr(self) -> Floats:
        """Return the average performance gap recovered, shape (r,): 0.5 for a constant score."""
        middle = (self._gained[:, 1:] + self._gained[:, :-1]) / 2
        area = (np.diff(self._calls, axis=1) * middle).sum(axis=1)
        return np.asarray(area / (self._n * self._total))

    def apgr_at_thresholds(self) -> Floats:
        """Return APGR as RouteLLM 0.2.0 computes it, shape (r,).

        The thresholds are the deciles of the scores, by linear interpolation; scores at or
        above one go to the strong model, none at the last; PGR is integrated by trapezoids
        over the shares that result.
        """
        levels = np.arange(LEVELS)
        # The least score at or above a decile has this many scores below it.
        below = -((1 - self._n[:, None]) * levels // LEVELS)
        at = self._first(self._n[:, None] - below)
        calls, gained = (
            np.pad(np.take_along_axis(sums, at, axis=1), ((0, 0), (0, 1)))
            for sums in (self._calls, self._gained)
        )
        area = (-np.diff(calls, axis=1) * (gained[:, 1:] + gained[:, :-1]) / 2).sum(axis=1)
        return np.asarray(area / (self._n * self._total))

    def cpt(self, recovered: float) -> Floats:
        """Return the least share of strong calls at which PGR reaches ``recovered``, shape (r,).

        Sending everything to the strong model recovers the whole gap, so any part of it is
        reached at a share of 1 at the latest.

        Args:
            recovered: in (0, 1].
        """
        wanted = (recovered - _ROUNDING) * self._total[:, None]
        at = 1 + np.argmax(self._gained[:, 1:] >= wanted, axis=1)[:, None]
        (calls, more_calls), (gained, more_gained) = (
            [np.take_along_axis(sums, at - side, axis=1)[:, 0] for side in (1, 0)]
            for sums in (self._calls, self._gained)
        )
        part = (recovered * self._total - gained) / np.where(
            more_gained == gained, np.nan, more_gained - gained
        )
        return np.asarray((calls + np.clip(part, 0, 1) * (more_calls - calls)) / self._n)

    def pgr(self, shares: Floats) -> Floats:
        """Return the performance gap recovered at shares of strong calls.

        Args:
            shares: in [0, 1], shape (s,).

        Returns:
            Shape (r, s): 0 at 0, 1 at 1, and possibly beyond both in between.
        """
        return np.asarray(self._at(shares, self._gained) / self._total[:, None])

    def mean_over_strong(self, values: Floats, shares: Floats) -> Floats:
        """Return the sum of a value over queries sent to the strong model, divided by all queries.

        Args:
            values: shape (n,).
            shares: of strong calls, in [0, 1], shape (s,).

        Returns:
            Shape (r, s).
        """
        sums = self._ranking.summed(self._counts * self._ranking.ordered(values))
        return np.asarray(self._at(shares, sums) / self._n[:, None])

    def mean_gain(self, shares: Floats) -> Floats:
        """Return mean quality minus the weak model's at shares of strong calls: shape (r, s)."""
        return np.asarray(self._at(shares, self._gained) / self._n[:, None])

    def _at(self, shares: Floats, sums: Floats) -> Floats:
        calls = shares * self._n[:, None]
        after = np.maximum(self._first(calls), 1)
        low, high = (np.take_along_axis(self._calls, after - side, axis=1) for side in (1, 0))
        part = (calls - low) / np.where(high > low, high - low, 1.0)
        low, high = (np.take_along_axis(sums, after - side, axis=1) for side in (1, 0))
        return np.asarray(low + part * (high - low))

    def _first(self, calls: Floats) -> NDArray[np.int64]:
        """Return the first point of each curve with that many calls, of shape (r, s)."""
        width = self._calls.shape[1]
        rows = np.arange(len(calls))[:, None]
        apart = rows * (self._n.max() + 1)
        found = np.searchsorted((self._calls + apart).ravel(), (calls + apart).ravel())
        return np.asarray(np.minimum(found.reshape(calls.shape) - rows * width, width - 1))


def ranked_within(folds: NDArray[np.int64], scores: Floats) -> Floats:
    """Return each score's rank within its fold as a share of the fold, shape (n,), in (0, 1).

    Equal scores in a fold share their middle rank, so a score that is constant in each fold stays
    constant.

    Args:
        folds: which fold each score belongs to, numbered from 0, shape (n,).
        scores: shape (n,).
    """
    ranks = np.empty(len(scores))
    for fold in np.unique(folds):
        own = folds == fold
        _, value, size = np.unique(scores[own], return_inverse=True, return_counts=True)
        ranks[own] = (np.cumsum(size) - size / 2)[value] / own.sum()
    return ranks


def apgr(scores: Floats, strong: Floats, weak: Floats) -> float:
    """Return the average performance gap recovered: 0.5 for a random or a constant score.

    Args:
        scores: shape (n,).
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's answers, shape (n,); lower on average.
    """
    once = np.ones((1, len(scores)))
    return float(Curves(Ranking(scores), once, strong - weak).apgr()[0])
