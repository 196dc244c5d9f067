"""Confidence sequences: intervals that hold at all times at once, however often one looks.

An interval for one sample size fails more and more often if it is looked at day after day until it
says what one hopes for. These do not (Waudby-Smith and Ramdas, arXiv 2010.09686; Waudby-Smith et
al., arXiv 2103.06476 and 2210.10768).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BETS = 0.5 ** np.arange(1, 17)
"""Parts of the capital that are bet, each of an account of its own: none is chosen with hindsight,
and the best of them soon outgrows the others."""

_STEPS = 40
"""Of the bisection."""

_AT = 2_000.0
"""Observations at which an asymptotic sequence is narrowest for its kind."""


def lower_bound(values: Floats, draws: NDArray[np.int64], least: float, miss: float) -> float:
    """Return what the mean exceeds at all times at once with probability ``1 - miss``, by betting
    against lower means. Exact for any number of draws, at times at which none is half made.

    Values that are drawn together are one bet, of their sum. An account stakes the same on each
    value, so that what it may win in expectation is nothing if the mean of all values is the one
    it bets against, whatever the sizes of the draws; one that the largest draw could cost more
    than half of its capital is closed, which gives away what it holds and so wins nothing either.

    Args:
        values: shape (n,), whose expectation is the mean, whatever was drawn before.
        draws: shape (n,), the draw that each value is of, counted from 0.
        least: no value is below it.
        miss: in (0, 1).

    Returns:
        ``least`` where nothing can be said.
    """
    if not len(values):
        return least
    sizes, sums = np.bincount(draws), np.bincount(draws, values - least)
    # As complex numbers, of which NumPy finds the distinct pairs faster than in two columns.
    distinct, counts = np.unique(sums + 1j * sizes, return_counts=True)
    bets = _BETS[_BETS * sizes.max() <= _BETS[0]]
    if not len(bets):
        return least
    low, high = 0.0, float(values.mean()) - least
    wanted = math.log(len(_BETS) / miss)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle <= 0:
            break
        # Nobody wins in the long run against the true mean; who wins much shows that it is higher.
        gains = np.log1p(bets[:, None] * (distinct.real / middle - distinct.imag)) @ counts
        is_too_low = np.logaddexp.reduce(gains) >= wanted
        low, high = (middle, high) if is_too_low else (low, middle)
    return low + least


def asymptotic(values: Floats, miss: float) -> tuple[float, float]:
    """Return the interval that holds the mean at all times at once with probability ``1 - miss``,
    as observations get many; both ends are NaN if there are less than two.

    Args:
        values: shape (n,).
        miss: in (0, 1).
    """
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    rho2 = (-2 * math.log(miss) + math.log(-2 * math.log(miss)) + 1) / _AT
    inner = n * rho2 + 1
    half = deviation * math.sqrt(2 * inner / (n * n * rho2) * math.log(math.sqrt(inner) / miss))
    return mean - half, mean + half
