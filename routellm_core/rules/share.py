"""The threshold that sends a given share of traffic to the strong model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LEVELS = 201
"""How many quantiles a checkpoint carries: one per half percent."""

_OFF = 0.05
"""A share that usual prompts exceed by more, because of equal scores, is told."""

NEVER = math.nextafter(1.0, 2.0)
"""The threshold that no score reaches."""


def quantiles_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of ``scores`` (shape (n,)) at ``LEVELS`` evenly spaced levels."""
    return np.quantile(scores, np.linspace(0.0, 1.0, LEVELS))


def threshold_for_share(quantiles: NDArray[np.float64], strong_share: float) -> float:
    """Return the threshold at or above which ``strong_share`` of prompts score.

    Args:
        quantiles: ascending, at evenly spaced levels from 0 to 1.
        strong_share: wanted share of calls to the strong model, in [0, 1]; 0 gives ``NEVER`` and 1
            gives 0.0, whatever the prompts.
    """
    if strong_share <= 0.0:
        return NEVER
    if strong_share >= 1.0:
        return 0.0
    levels = np.linspace(0.0, 1.0, len(quantiles))
    return float(np.interp(1.0 - strong_share, levels, quantiles))


def threshold_in(scores: NDArray[np.float64], strong_share: float) -> float:
    """Return the threshold at or above which nearest to ``strong_share`` of ``scores`` lie.

    It lies half way between two scores that differ, so that rounding moves no prompt. Equal scores
    cannot be separated: the caller checks what share it gives.

    Args:
        scores: shape (n,), n >= 1.
        strong_share: wanted share, in [0, 1]; 0 gives ``NEVER`` and 1 gives 0.0.
    """
    if strong_share <= 0.0:
        return NEVER
    if strong_share >= 1.0:
        return 0.0
    values, counts = np.unique(scores, return_counts=True)
    # The share above each cut: below all values, between two, above all.
    shares = 1.0 - np.concatenate(([0], np.cumsum(counts))) / len(scores)
    return cut(values, int(np.abs(shares - strong_share).argmin()))


def cut(values: NDArray[np.float64], below: int) -> float:
    """Return the threshold that ``below`` of the ``values``, ascending and distinct, do not reach.

    0.0 for none of them, and ``NEVER`` for all.
    """
    if below == 0:
        return 0.0
    if below == len(values):
        return NEVER
    return float(values[below - 1] / 2 + values[below] / 2)


def ties(quantiles: NDArray[np.float64], threshold: float, strong_share: float) -> str | None:
    """Return a warning if a share cannot be reached, because many usual prompts have the same
    score; else None.

    Args:
        quantiles: of a router's scores, ascending, at evenly spaced levels from 0 to 1.
        threshold: that ``threshold_for_share`` gives.
        strong_share: that is wanted.
    """
    below = int(np.searchsorted(quantiles, threshold))
    achieved = 1.0 - below / (len(quantiles) - 1)
    if not 0 < strong_share < 1 or achieved - strong_share <= _OFF:
        return None
    return (
        f"threshold {threshold:g} sends {achieved:.0%} of usual prompts to the strong model, where "
        f"{strong_share:.0%} is meant: many of them have exactly that score, and no threshold can "
        "separate them"
    )


def outside_range(threshold: float, quantiles: NDArray[np.float64]) -> str | None:
    """Return a warning about a threshold that no usual prompt, or every one, reaches; else None.

    0 and 1 are taken for what is meant.

    Args:
        threshold: in [0, 1].
        quantiles: of a router's scores, ascending.
    """
    least, most = float(quantiles[0]), float(quantiles[-1])
    if threshold in (0.0, 1.0) or least < threshold <= most:
        return None
    goes = "strong" if threshold <= least else "weak"
    return (
        f"threshold {threshold:g} lies outside this router's scores, {least:.3f} to {most:.3f} on "
        f"the prompts it was calibrated on, so all usual traffic goes to the {goes} model: "
        "set strong_share instead, or a threshold in that range"
    )
