"""Which prompts sw_ranking takes to be alike: a few directions, one of them learned from gold.

All features alike say little about which model wins: most of what sets two prompts apart does
not matter to it. So prompts are compared along the directions in which they differ most, and
along one more, in which the strong model's advantage grows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..shared.comparisons import Comparisons
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
    _, by_spread = np.linalg.eigh(table.T @ table)
    directions = by_spread[:, ::-1][:, : config.directions]
    advantage = _advantage(table, comparisons, config)
    spread = (table @ advantage).std()
    if not spread > 0:
        return directions
    return np.column_stack([directions, advantage * (config.advantage / spread)])


def _advantage(table: Floats, comparisons: Comparisons, config: SWRankingConfig) -> Floats:
    """Return weights of the features that tell the strong model's advantage: shape (D,).

    Ridge regression of the difference in quality within each source of gold, its level set
    aside, each source counting for its weight; zeros without gold.
    """
    covariance: Floats = np.zeros((table.shape[1],) * 2)
    product: Floats = np.zeros(table.shape[1])
    total = 0.0
    gain = comparisons.strong - comparisons.weak
    for number, name in enumerate(comparisons.sources):
        own = (comparisons.source == number) & ~np.isnan(gain)
        if not own.any():
            continue
        weight = config.source(name).weight
        centred = table[own] - table[own].mean(axis=0)
        covariance += weight / len(centred) * centred.T @ centred
        product += weight / len(centred) * centred.T @ (gain[own] - gain[own].mean())
        total += weight
    covariance += config.l2 * max(total, 1.0) * np.eye(len(product))
    return np.asarray(np.linalg.solve(covariance, product), np.float64)
