"""The mean difference of paired answers, with an interval that also holds where few differ."""

from __future__ import annotations

import numpy as np

from .intervals import Estimate
from .metrics import Floats

_Z = 1.959964


def mean_difference(values: Floats, weights: Floats | None = None) -> Estimate:
    """Return the mean of differences with the 95 % interval of Agresti and Min (2005) for paired
    answers: as if two more pairs had been seen: half of one lost, half of one gained, and one did
    neither. By the sample alone, 20 pairs none of which differ would show that none ever does.

    Args:
        values: each in [-1, 1], shape (n,), n > 0.
        weights: of each, above 0; None: the same. The two more weigh as much as one of as
            many equal ones as would have the same variance (Kish's effective sample).
    """
    weighing = np.ones(len(values)) if weights is None else weights
    total, typical = float(weighing.sum()), float((weighing**2).sum() / weighing.sum())
    added = total + 2 * typical
    middle = float((weighing * values).sum()) / added
    squares = ((weighing * (values - middle)) ** 2).sum() + typical**2 * (1 + 2 * middle**2)
    half = _Z * float(np.sqrt(squares)) / added
    return Estimate(middle * added / total, middle - half, middle + half)
