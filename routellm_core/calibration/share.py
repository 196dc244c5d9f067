"""The threshold that sends a given share of traffic to the strong model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 201
"""How many quantiles a checkpoint carries: one per half percent."""


def quantiles_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of ``scores`` (shape (n,)) at ``LEVELS`` evenly spaced levels."""
    return np.quantile(scores, np.linspace(0.0, 1.0, LEVELS))


def threshold_for_share(quantiles: NDArray[np.float64], strong_share: float) -> float:
    """Return the threshold in [0, 1] at or above which ``strong_share`` of prompts score.

    Args:
        quantiles: ascending, at evenly spaced levels from 0 to 1.
        strong_share: wanted share of calls to the strong model, in [0, 1]; 0 gives 1.0 and 1
            gives 0.0, whatever the prompts.
    """
    if strong_share <= 0.0:
        return 1.0
    if strong_share >= 1.0:
        return 0.0
    levels = np.linspace(0.0, 1.0, len(quantiles))
    return float(np.interp(1.0 - strong_share, levels, quantiles))
