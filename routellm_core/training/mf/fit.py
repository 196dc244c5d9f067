"""Fit mf on comparisons of two models at a time, its regularisation chosen by log loss over folds.

    logit P(first wins | q) = g (c + w . x_q)

g is how much stronger the first model is than the second: 1 for the reference pair, otherwise
the difference of their strengths beside that of the reference pair. So votes between any two
models say something about the reference pair, in proportion to how far apart the two are. In
mf's form v_m is the model's strength and W x + c is c + w . x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...routers.embedding_checkpoint import sigmoid

Floats = NDArray[np.float64]

GRID = 10.0 ** np.arange(1.0, -3.51, -0.5)
"""Penalties on squared weights that are tried, greatest first, per unit of mean log loss."""

_MOST_STEPS = 30


@dataclass(frozen=True)
class PairFit:
    """What was learned."""

    weights: Floats
    """w above, shape (D,)."""
    intercept: float
    """c above."""
    l2: float
    """The penalty."""
    held_out: Floats
    """c + w . x of each comparison's prompt, by a fit that did not learn its fold, shape (n,)."""


def fit_pair(
    features: Floats,
    p_first: Floats,
    gap: Floats,
    weight: Floats,
    fold: NDArray[np.int64],
    l2: float | None = None,
) -> PairFit:
    """Minimise the penalised log loss. It is convex, so there is one result.

    Args:
        features: standardised, of each comparison's prompt, shape (n, D).
        p_first: probability that the first model wins, in [0, 1], shape (n,).
        gap: g above, shape (n,).
        weight: of each comparison in the loss, shape (n,).
        fold: number of each comparison's fold, for the choice of the penalty, shape (n,).
        l2: penalty on squared weights, per unit of mean log loss; None: the one of ``GRID`` with
            the least log loss on folds that were not learned, the greatest of equals.
    """
    mean = np.average(features, axis=0, weights=weight)
    # Where prompts are fewer than features, weights lie in the span of the prompts.
    left, values, right = np.linalg.svd(features - mean, full_matrices=False)
    kept = values > 1e-8 * max(1e-12, values[0])
    prompts = np.hstack([left[:, kept] * values[kept], np.ones((len(features), 1))])
    weight = weight / weight.sum()
    grid = GRID if l2 is None else np.array([l2])
    losses, held_out = _over_folds(prompts, p_first, gap, weight, fold, grid)
    at = int(losses.argmin())
    rows = prompts * gap[:, None]
    theta = _logistic(rows, p_first, weight, grid[at], np.zeros(rows.shape[1]))
    weights = theta[:-1] @ right[kept]
    told = np.where(np.isnan(held_out[at]), prompts @ theta, held_out[at])
    return PairFit(weights, float(theta[-1] - mean @ weights), float(grid[at]), told)


def _over_folds(
    prompts: Floats,
    p_first: Floats,
    gap: Floats,
    weight: Floats,
    fold: NDArray[np.int64],
    grid: Floats,
) -> tuple[Floats, Floats]:
    """Return the log loss of each penalty on folds that were not learned, shape (penalties,), and
    c + w . x there, shape (penalties, n); NaN if there is but one fold.
    """
    losses, told = np.zeros(len(grid)), np.full((len(grid), len(prompts)), np.nan)
    for number in np.unique(fold):
        train, held = fold != number, fold == number
        if not train.any():
            continue
        theta = np.zeros(prompts.shape[1])
        rows = prompts[train] * gap[train, None]
        own = weight[train] / weight[train].sum()
        for at, l2 in enumerate(grid):  # each starts from the next stronger one
            theta = _logistic(rows, p_first[train], own, l2, theta)
            told[at, held] = prompts[held] @ theta
            logit = told[at, held] * gap[held]
            loss = np.logaddexp(0.0, logit) - p_first[held] * logit
            losses[at] += float(weight[held] @ loss)
    return losses, told


def _logistic(rows: Floats, p_first: Floats, weight: Floats, l2: float, theta: Floats) -> Floats:
    """Return the minimum of the penalised log loss, by Newton's method from ``theta``."""
    penalty = np.append(np.full(rows.shape[1] - 1, l2), 1e-6)  # of the level: only to be finite
    for _ in range(_MOST_STEPS):
        p = sigmoid(rows @ theta)
        gradient = rows.T @ (weight * (p_first - p)) - penalty * theta
        hessian = (rows * (weight * p * (1 - p))[:, None]).T @ rows + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        longest = np.abs(step).max()
        theta = theta + step * min(1.0, 5.0 / max(1e-12, longest))
        if longest < 1e-4:
            break
    return theta
