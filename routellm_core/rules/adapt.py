"""Move a threshold so that its share of calls stays as intended.

Scores do not depend on the threshold, so the threshold that would have given the share on the last
calls can be read off their scores; there is nothing to tune, and nothing that could swing. How far
it may move is bounded by the sample on which the share was calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .share import threshold_for_share

LEAST = 1_000
"""Scored calls from which a threshold may be moved."""


@dataclass(frozen=True)
class Moved:
    """Where a threshold is moved to."""

    threshold: float
    """Least strong win rate that goes to the strong model from now on."""
    at_bound: bool
    """Whether the share would take a threshold that lies beyond the bounds."""


def moved(wanted: float, share: float, quantiles: Sequence[float]) -> Moved:
    """Return the threshold nearest to the wanted one within the bounds.

    The bounds are the thresholds at which half of the share and twice the share (from a share of
    1/3 on, half way to all) of the calibration sample would go to the strong model.

    Args:
        wanted: threshold that gives the share on recent calls.
        share: that is to go to the strong model, in [0, 1].
        quantiles: of the scores of the calibration sample, ascending, at evenly spaced levels
            from 0 to 1.
    """
    sample = np.asarray(quantiles, np.float64)
    least = threshold_for_share(sample, min(2 * share, (1 + share) / 2))
    most = threshold_for_share(sample, share / 2)
    threshold = min(max(wanted, least), most)
    return Moved(threshold, threshold != wanted)
