"""Means, shares and ratios with the interval that holds the truth 95 times of 100.

Requests of a conversation, or of the same words, are not independent: they are given as units,
whose sums are (Cochran, Sampling Techniques, 1977, chapter 9A).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...evaluation.intervals import Estimate
from ...evaluation.paired import mean_difference
from .requests import Floats

Units = NDArray[np.int64]
"""The unit of each request, numbered from 0, shape (n,)."""

_Z = 1.959964
LEAST = 10
"""Fewer values make no interval."""


def share(values: Floats, units: Units | None = None) -> Estimate | None:
    """Return the mean of numbers in [0, 1] with Wilson's interval; None without any.

    The interval is exact enough for values of 0 and 1, and too wide for others.

    Args:
        values: shape (n,).
        units: of them; None: each is one.
    """
    if not len(values):
        return None
    mean = float(values.mean())
    return wilson(mean, len(values) / (1.0 if units is None else _design_effect(values, units)))


def wilson(mean: float, n: float) -> Estimate:
    """Return the mean of n numbers in [0, 1] with Wilson's interval."""
    scale = 1 + _Z**2 / n
    middle = (mean + _Z**2 / (2 * n)) / scale
    half = _Z * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2)) / scale
    return Estimate(mean, max(0.0, middle - half), min(1.0, middle + half))


def mean_loss(values: Floats, weights: Floats) -> Estimate | None:
    """Return the mean of losses in [-1, 1] (shape (n,)), each with a weight above 0; None below
    ``LEAST`` of them.
    """
    return None if len(values) < LEAST else mean_difference(values, weights)


def saving(cost: Floats, always_strong: Floats, units: Units | None = None) -> Estimate | None:
    """Return the share of a cost that is saved, by requests (shape (n,)); None where nothing
    costs anything, or below ``LEAST`` of them.

    Four units more are counted for the interval, of which two save nothing and two all (Agresti
    and Coull 1998): where all went to one model, how much others would save is not known.

    Args:
        cost: shape (n,).
        always_strong: what the strong model would have cost, likewise.
        units: of the requests; None: each is one.
    """
    n, total = len(cost), float(always_strong.sum())
    if n < LEAST or total <= 0:
        return None
    of = np.arange(n) if units is None else units
    costs, wholes = np.bincount(of, cost), np.bincount(of, always_strong)
    typical = float((wholes**2).sum() / total)  # of as many equal ones with this variance
    costs = np.append(costs, [typical, typical, 0.0, 0.0])
    wholes = np.append(wholes, np.full(4, typical))
    middle = float(costs.sum() / wholes.sum())
    half = _Z * math.sqrt(float(((costs - middle * wholes) ** 2).sum())) / float(wholes.sum())
    # Where the requests alone are further off, as if some cost more than the strong model, their
    # own ratio is still within.
    left = float(cost.sum()) / total
    return Estimate(
        1 - left, min(1 - left, 1 - middle - half), max(1 - left, min(1.0, 1 - middle + half))
    )


def _design_effect(values: Floats, units: Units) -> float:
    """Return how many times the variance of a mean is that of independent values."""
    sizes = np.bincount(units)
    most = float((sizes**2).sum() / len(values))
    apart = values - values.mean()
    alone = float((apart**2).sum())
    if alone <= 0:
        return most
    return min(most, max(1.0, float((np.bincount(units, apart) ** 2).sum()) / alone))
