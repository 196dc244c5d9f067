"""Which prompts sw_ranking takes to be alike: a few directions, one of them learned from gold.

All features alike say little about which model wins: most of what sets two prompts apart does
not matter to it. So prompts are compared along the directions in which they differ most, and
along one more, in which the strong model's advantage grows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..mf.fit import GRID
from ..shared.comparisons import Comparisons
from ..shared.folds import folds_of
from .config import SWRankingConfig

Floats = NDArray[np.float64]


def directions_of(
    features: NDArray[np.float32], comparisons: Comparisons, config: SWRankingConfig
) -> Floats:
    """Return the directions along which prompts are compared.

    Args:
        features: of each prompt, of mean 0, shape (len(comparisons.prompts), D).
        comparisons: what is learned from.
        config: how many directions, and how far the learned one spreads.

    Returns:
        Shape (D, k): the principal directions, and the learned one last if there is gold.
    """
    table = features.astype(np.float64)
    return along(table, _advantage(table, comparisons, config), config)


def along(table: Floats, learned: Floats, config: SWRankingConfig) -> Floats:
    """Return the directions in which prompts differ most, and a learned one.

    Args:
        table: features of each prompt, of mean about 0, shape (n, D).
        learned: weights of the features, shape (D,); zeros if nothing was learned.
        config: how many directions, and how far the learned one spreads.

    Returns:
        Shape (D, k), the learned one last, unless prompts do not differ in it.
    """
    _, by_spread = np.linalg.eigh(table.T @ table)
    directions = by_spread[:, ::-1][:, : config.directions]
    spread = (table @ learned).std()
    if not spread > 0:
        return directions
    return np.column_stack([directions, learned * (config.advantage / spread)])


def _advantage(table: Floats, comparisons: Comparisons, config: SWRankingConfig) -> Floats:
    """Return weights of the features that tell the strong model's advantage: shape (D,).

    Ridge regression of the difference in quality within each source of gold, its level set
    aside, each source counting for its weight; zeros without gold.
    """
    gain = comparisons.strong - comparisons.weak
    rows, targets, weights = [], [], []
    for number, name in enumerate(comparisons.sources):
        own = np.flatnonzero((comparisons.source == number) & ~np.isnan(gain))
        if len(own):
            rows.append(table[own] - table[own].mean(axis=0))
            targets.append(gain[own] - gain[own].mean())
            weights.append(np.full(len(own), config.source(name).weight / len(own)))
    if not rows:
        return np.zeros(table.shape[1])
    gold = ~np.isnan(gain)
    in_order = np.argsort(comparisons.source[gold], kind="stable")
    prompts = [comparisons.prompts[at] for at in np.flatnonzero(gold)[in_order]]
    return _ridge(
        np.concatenate(rows),
        np.concatenate(targets),
        np.concatenate(weights),
        folds_of(prompts),
        config.l2,
    )


def _ridge(
    rows: Floats, target: Floats, weight: Floats, fold: NDArray[np.int64], l2: float | None
) -> Floats:
    """Return the weights of a ridge regression; without ``l2``, with the penalty of ``GRID`` that
    has the least squared error on folds that were not learned.
    """
    weight = weight / weight.sum()
    if l2 is None:
        errors = np.zeros(len(GRID))
        for number in np.unique(fold):
            train, held = fold != number, fold == number
            if not train.any():
                continue
            own = weight[train] / weight[train].sum()
            for at, each in enumerate(GRID):
                found = ridge_weights(rows[train], target[train], own, each)
                errors[at] += weight[held] @ (target[held] - rows[held] @ found) ** 2
        l2 = float(GRID[int(errors.argmin())])
    return ridge_weights(rows, target, weight, l2)


def ridge_weights(rows: Floats, target: Floats, weight: Floats, l2: float) -> Floats:
    """Return the weights of a ridge regression, shape (D,).

    Args:
        rows: features, shape (n, D).
        target: shape (n,), of mean about 0.
        weight: of each row, shape (n,), 1 in sum.
        l2: penalty on the squared weights.
    """
    weighted = rows * weight[:, None]
    covariance = weighted.T @ rows + l2 * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(covariance, weighted.T @ target), np.float64)
