"""Strengths of players from how often each beat each, and tiers of about equal strength.

    P(i beats j) = sigmoid(strength_i - strength_j)

The likelihood of any number of battles depends on their matrix of wins alone, so strengths are
fitted to that matrix, many at once. An Elo rating is 400 / ln(10) times a strength, plus a
constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-9
"""Penalty on half the squared strengths, as a share of all wins: it moves a strength by less than
1e-7, but keeps a player who never lost, or never met the others, at a finite one."""

_TOLERANCE = 1e-18
"""Gain in likelihood, as a share of all wins, below which the fit stops."""

_MOST_STEPS = 200


def fit_strengths(wins: Floats, start: Floats | float = 0.0) -> Floats:
    """Return the strengths of greatest likelihood, in natural logarithms of odds.

    Newton's method, each step shortened to log(1 + s) / s of itself, where s is how far it moves
    two players apart: the likelihood then grows in every step, however far off the start.

    Args:
        wins: ``wins[..., i, j]`` is how often i beat j, at least 0, not necessarily whole; a draw
            is half a win each way. Shape (..., K, K); the diagonal is ignored.
        start: initial strengths, which affect only the number of steps; broadcast to (..., K).

    Returns:
        Shape (..., K); each row sums to 0.
    """
    wins = wins * (1.0 - np.eye(wins.shape[-1]))
    battles = wins + wins.swapaxes(-1, -2)
    total = np.maximum(wins.sum(axis=(-1, -2)), np.finfo(np.float64).tiny)
    ridge = RIDGE * total[..., None]
    strengths = np.zeros(wins.shape[:-1]) + start
    diagonal = np.arange(wins.shape[-1])
    for _ in range(_MOST_STEPS):
        gaps = strengths[..., :, None] - strengths[..., None, :]
        expected = 0.5 * (1.0 + np.tanh(0.5 * gaps))
        gradient = (wins - battles * expected).sum(axis=-1) - ridge * strengths
        curvature = battles * expected * (1.0 - expected)
        hessian = -curvature
        hessian[..., diagonal, diagonal] += curvature.sum(axis=-1) + ridge
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        spread = np.ptp(step, axis=-1, keepdims=True)
        strengths += step * (np.log1p(spread) / np.maximum(spread, np.finfo(np.float64).tiny))
        if ((gradient * step).sum(axis=-1) <= _TOLERANCE * total).all():
            break
    return strengths


def tiers_of(strengths: Floats, count: int) -> NDArray[np.int64]:
    """Group players so that the sum of the variances of strength within the tiers is least.

    Dynamic programming over the players from strong to weak (Ong et al., arXiv 2406.18665,
    section 4.2); a tier counts once, however many are in it, as in their code.

    Args:
        strengths: of each player, shape (K,).
        count: how many tiers at most.

    Returns:
        The tier of each player, 0 the strongest, shape (K,).
    """
    order = np.argsort(-strengths, kind="stable")
    ordered = strengths[order]
    players = len(ordered)
    variance = np.full((players, players), np.inf)
    for first in range(players):
        for last in range(first, players):
            variance[first, last] = ordered[first : last + 1].var()
    least = variance[0].copy()
    splits = []
    for _ in range(1, count):
        split = np.zeros(players, np.int64)
        extended = np.zeros(players)
        for last in range(1, players):
            totals = least[:last] + variance[1 : last + 1, last]
            split[last] = totals.argmin()
            extended[last] = totals[split[last]]
        splits.append(split)
        least = extended
    starts = np.zeros(players, np.int64)
    last = players - 1
    for split in reversed(splits):
        if last == 0:
            break
        starts[split[last] + 1] = 1
        last = int(split[last])
    tiers = np.empty(players, np.int64)
    tiers[order] = np.cumsum(starts)
    return tiers
