"""How much of the gap between two models a router recovers.

Definitions of RouteLLM (arXiv 2406.18665, section 2): with r the mean quality, and c the share
of queries sent to the strong model,

    PGR(c) = (r(router at c) - r(weak)) / (r(strong) - r(weak)),   APGR = integral of PGR over c.

Every query is a level of c, and queries of equal score are taken in every order alike, so a
constant score is worth exactly what chance is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pgr_curve(scores: Floats, strong: Floats, weak: Floats) -> Floats:
    """Return PGR with the k highest scores sent to the strong model, k = 0 ... n.

    Args:
        scores: shape (n,); higher goes to the strong model first.
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's, shape (n,); on average not equal to ``strong``'s.

    Returns:
        Shape (n + 1,): from 0 to 1, and possibly beyond both in between.
    """
    gains = strong - weak
    _, group, size = np.unique(-scores, return_inverse=True, return_counts=True)
    mean_gain = np.bincount(group, gains) / size
    recovered = np.cumsum(np.repeat(mean_gain, size))
    return np.concatenate([[0.0], recovered / gains.sum()])


def apgr(scores: Floats, strong: Floats, weak: Floats) -> float:
    """Return the average performance gap recovered: 0.5 for a random or a constant score.

    Args:
        scores: shape (n,).
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's, shape (n,).
    """
    curve = pgr_curve(scores, strong, weak)
    return float((curve[1:] + curve[:-1]).mean() / 2)
