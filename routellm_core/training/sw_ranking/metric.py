"""Which prompts sw_ranking takes to be alike: a few directions, one of them learned from gold.

All features alike say little about which model wins: most of what sets two prompts apart does
not matter to it. So prompts are compared along the directions in which they differ most, and
along one more, in which the strong model's advantage grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mf.fit import GRID
from ..shared.comparisons import Comparisons
from ..shared.folds import folds_of
from .config import SWRankingConfig

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """Along what prompts are compared."""

    directions: Floats
    """Shape (D, k): the principal directions, and the learned one last if there is gold."""
    projected: NDArray[np.float32]
    """The prompts along them, shape (n, k)."""
    unseen: NDArray[np.float32]
    """The same, each prompt that was learned as far out as directions of the other folds put it.
    What directions are taken from lies further out along them than other prompts do."""


def metric_of(
    features: NDArray[np.float32],
    used: NDArray[np.bool_],
    learned: Comparisons,
    config: SWRankingConfig,
) -> Metric:
    """Learn along what prompts are compared.

    Args:
        features: of each prompt, of mean about 0, shape (n, D).
        used: which prompts are learned from, shape (n,).
        learned: their comparisons.
        config: how many directions, and how far the learned one spreads.
    """
    table = features[used].astype(np.float64)
    advantage = _advantage(table, learned, config)
    directions = along(table, advantage.weights, config)
    projected = (features @ directions).astype(np.float32)
    unseen = projected.copy()
    folds = folds_of(learned.prompts)
    widest = directions[:, : config.directions]
    for number in np.unique(folds):
        own = folds == number
        if not own.all():
            rows = np.flatnonzero(used)[own]
            unseen[rows, : config.directions] = table[own] @ _aligned(
                _widest(table[~own], config), widest
            )
    spread = (table @ advantage.weights).std()
    if spread > 0:
        unseen[used, -1] = advantage.held_out * (config.advantage / spread)
    return Metric(directions, projected, unseen)


def _widest(table: Floats, config: SWRankingConfig) -> Floats:
    """Return the directions in which prompts differ most, the widest first, shape (D, k)."""
    _, by_spread = np.linalg.eigh(table.T @ table)
    return np.asarray(by_spread[:, ::-1][:, : config.directions])


def _aligned(directions: Floats, others: Floats) -> Floats:
    """Return a rotation of orthonormal directions, that which is nearest to others."""
    left, _, right = np.linalg.svd(directions.T @ others)
    return np.asarray(directions @ left @ right)


def along(table: Floats, learned: Floats, config: SWRankingConfig) -> Floats:
    """Return the directions in which prompts differ most, and a learned one.

    Args:
        table: features of each prompt, of mean about 0, shape (n, D).
        learned: weights of the features, shape (D,); zeros if nothing was learned.
        config: how many directions, and how far the learned one spreads.

    Returns:
        Shape (D, k), the learned one last, unless prompts do not differ in it.
    """
    directions = _widest(table, config)
    spread = (table @ learned).std()
    if not spread > 0:
        return directions
    return np.column_stack([directions, learned * (config.advantage / spread)])


@dataclass(frozen=True)
class _Advantage:
    """What tells the strong model's advantage."""

    weights: Floats
    """Of the features, shape (D,); zeros without gold."""
    held_out: Floats
    """The advantage of each prompt, with the weights of a fit that did not learn its fold, (n,)."""


def _advantage(table: Floats, comparisons: Comparisons, config: SWRankingConfig) -> _Advantage:
    """Learn the strong model's advantage.

    Ridge regression of the difference in quality within each source of gold, its level set
    aside, each source counting for its weight.
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
        return _Advantage(np.zeros(table.shape[1]), np.zeros(len(table)))
    folds = folds_of(comparisons.prompts)
    gold = np.flatnonzero(~np.isnan(gain))
    in_order = gold[np.argsort(comparisons.source[gold], kind="stable")]
    whole, by_fold = _ridge(
        np.concatenate(rows),
        np.concatenate(targets),
        np.concatenate(weights),
        folds[in_order],
        config.l2,
    )
    held_out = table @ whole
    for number, found in by_fold.items():
        own = folds == number
        held_out[own] = table[own] @ found
    return _Advantage(whole, held_out)


def _ridge(
    rows: Floats, target: Floats, weight: Floats, fold: NDArray[np.int64], l2: float | None
) -> tuple[Floats, dict[int, Floats]]:
    """Return the weights of a ridge regression, and by fold those of one without that fold.

    Without ``l2``, the penalty is the one of ``GRID`` that has the least squared error on folds
    that were not learned.
    """
    weight = weight / weight.sum()
    grid = GRID if l2 is None else np.array([l2])
    errors = np.zeros(len(grid))
    by_fold: dict[int, list[Floats]] = {}
    for number in np.unique(fold):
        train, held = fold != number, fold == number
        if not train.any():
            continue
        own = weight[train] / weight[train].sum()
        by_fold[int(number)] = [
            ridge_weights(rows[train], target[train], own, each) for each in grid
        ]
        for at, found in enumerate(by_fold[int(number)]):
            errors[at] += weight[held] @ (target[held] - rows[held] @ found) ** 2
    best = int(errors.argmin())
    return (
        ridge_weights(rows, target, weight, float(grid[best])),
        {number: found[best] for number, found in by_fold.items()},
    )


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
