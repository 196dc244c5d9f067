"""What a linear model says of the pair on every prompt, for a transformer to learn as well.

A transformer knows a few thousand noisy labels by heart before it has learned from them what
holds elsewhere. A ridge regression on the static embedding and the surface features does not, and
it has an opinion on every prompt, those of votes included. So it is fitted first, on the same
labels, and its margins are taught beside them (Hinton et al., arXiv 1503.02531, with a teacher
that is simpler than its student).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..encoders.with_surface import WithSurface
from ..errors import ConfigError
from ..loading import load_encoder
from .comparisons import Comparisons
from .finetune_config import FinetuneTrainingConfig

_RIDGE = 0.3
_EMBEDDING_SCALE = 0.25
"""Spread of an embedding's element; surface features have 1."""


def linear_margins(comparisons: Comparisons, config: FinetuneTrainingConfig) -> NDArray[np.float32]:
    """Return, for each prompt, how far ahead the strong model is, by a linear model of gold.

    The model is a ridge regression on the gold differences, each source brought to variance 1
    and counted for its weight. Those with ``own_level`` are brought to mean 0 too, the others
    together.

    Args:
        comparisons: to be learned from.
        config: names the weights of sources.

    Returns:
        Shape (len(comparisons.prompts),), of variance 1 over the prompts with gold.

    Raises:
        ConfigError: no gold differs from prompt to prompt.
    """
    gold = _by_source(comparisons)
    if not gold:
        raise ConfigError("'teacher_weight' needs gold labels: give some, or leave it at 0")
    shares = {name: config.source(name).weight for name in gold}
    together = [name for name in gold if not config.source(name).own_level]
    level = sum(shares[name] * gold[name][1].mean() for name in together) / max(
        sum(shares[name] for name in together), 1e-9
    )
    features = _features(comparisons.prompts)
    target, weight = np.zeros(len(features)), np.zeros(len(features))
    for name, (rows, difference) in gold.items():
        own = level if name in together else difference.mean()
        target[rows] = (difference - own) / difference.std()
        weight[rows] = shares[name] / len(rows)
    weight /= weight.sum()
    features -= weight @ features
    weighted = features.T * weight
    ridge = _RIDGE * np.eye(features.shape[1])
    margins = features @ np.linalg.solve(weighted @ features + ridge, weighted @ target)
    scaled: NDArray[np.float32] = (margins / margins[weight > 0].std()).astype(np.float32)
    return scaled


def _by_source(
    comparisons: Comparisons,
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return the prompts with gold, and by how much the strong model is better, by source."""
    difference, found = comparisons.strong - comparisons.weak, {}
    for number, name in enumerate(comparisons.sources):
        rows = np.flatnonzero((comparisons.source == number) & ~np.isnan(difference))
        if len(rows) and difference[rows].std() > 0:
            found[name] = (rows, difference[rows])
    return found


def _features(prompts: list[str]) -> NDArray[np.float64]:
    encoder = load_encoder("static")
    features = WithSurface(encoder).encode(prompts).astype(np.float64)
    deviation = features.std(axis=0)
    deviation[: encoder.dim] = features[:, : encoder.dim].std() / _EMBEDDING_SCALE
    return features / np.where(deviation > 1e-6, deviation, np.inf)
