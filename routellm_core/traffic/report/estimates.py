"""Means, shares and ratios with the interval that holds the truth 95 times of 100."""

from __future__ import annotations

import math

from ...evaluation.intervals import Estimate
from .requests import Floats

_Z = 1.959964
LEAST = 10
"""Fewer values make no interval."""


def share(values: Floats) -> Estimate | None:
    """Return the mean of numbers in [0, 1] with Wilson's interval; None without any.

    The interval is exact enough for values of 0 and 1, and too wide for others.
    """
    return wilson(float(values.mean()), len(values)) if len(values) else None


def wilson(mean: float, n: int) -> Estimate:
    """Return the mean of n numbers in [0, 1] with Wilson's interval."""
    scale = 1 + _Z**2 / n
    middle = (mean + _Z**2 / (2 * n)) / scale
    half = _Z * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2)) / scale
    return Estimate(mean, max(0.0, middle - half), min(1.0, middle + half))


def weighted_mean(values: Floats, weights: Floats) -> Estimate | None:
    """Return the mean of ``values`` (shape (n,)), each with a weight above 0; None below
    ``LEAST`` of them.
    """
    n = len(values)
    if n < LEAST:
        return None
    mean = float((weights * values).sum() / weights.sum())
    parts = weights * (values - mean) / weights.sum()
    half = _Z * math.sqrt(float((parts**2).sum()) * n / (n - 1))
    return Estimate(mean, mean - half, mean + half)


def saving(cost: Floats, always_strong: Floats) -> Estimate | None:
    """Return the share of a cost that is saved, by requests (shape (n,)); None where nothing
    costs anything, or below ``LEAST`` of them.
    """
    n, total = len(cost), float(always_strong.sum())
    if n < LEAST or total <= 0:
        return None
    ratio = float(cost.sum()) / total
    residuals = cost - ratio * always_strong
    half = _Z * math.sqrt(float((residuals**2).sum()) * n / (n - 1)) / total
    return Estimate(1 - ratio, 1 - ratio - half, 1 - ratio + half)
