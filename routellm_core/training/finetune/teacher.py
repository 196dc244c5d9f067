"""What a linear model says of the pair on every prompt, for a transformer to learn as well.

A transformer knows a few thousand noisy labels by heart before it has learned from them what
holds elsewhere. A ridge regression on the static embedding and the surface features does not, and
it has an opinion on every prompt, those of votes included. So it is fitted first, on the same
labels, and what it says is taught beside them (Hinton et al., arXiv 1503.02531, with a teacher
that is simpler than its student).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...encoders.with_surface import WithSurface
from ...errors import ConfigError
from ...registry.loading import load_encoder
from ..shared.comparisons import Comparisons
from ..shared.features import standardisation
from .config import FinetuneTrainingConfig

_RIDGE = 0.3
_MOST = 4.0
"""Standard deviations that it may be off the mean: some votes' prompts are like none with gold."""
_EMBEDDING_SCALE = 0.25
"""Spread of an embedding's element; surface features have 1."""


@dataclass(frozen=True)
class Teacher:
    """What a linear model says."""

    logits: NDArray[np.float32]
    """Of each prompt, shape (n,): the logit of P(strong wins) + P(tie) / 2."""
    variance: float
    """Of the logits, over the prompts with gold."""


def linear_teacher(comparisons: Comparisons, config: FinetuneTrainingConfig) -> Teacher:
    """Fit a ridge regression to the gold differences and ask it about every prompt.

    Each source is brought to variance 1 and counted for its weight. Those with ``own_level`` are
    brought to mean 0 too, the others together. With the mean and the spread of the differences
    put back, a difference d is a logit of 2 d, the logit of (1 + d) / 2 near 0. No logit is
    further than four standard deviations from the mean.

    Args:
        comparisons: to be learned from.
        config: names the weights of sources.

    Raises:
        ConfigError: no gold differs from prompt to prompt.
    """
    gold = _by_source(comparisons)
    if not gold:
        raise ConfigError("'teacher_weight' needs gold labels: give some, or leave it at 0")
    shares = {name: config.source(name).weight for name in gold}
    together = [name for name in gold if not config.source(name).own_level] or list(gold)
    means = {name: float(difference.mean()) for name, (_, difference) in gold.items()}
    level = _mean(means, {name: shares[name] for name in together})
    features = _features(comparisons.prompts)
    target, weight = np.zeros(len(features)), np.zeros(len(features))
    for name, (rows, difference) in gold.items():
        own = means[name] if config.source(name).own_level else level
        target[rows] = (difference - own) / difference.std()
        weight[rows] = shares[name] / len(rows)
    weight /= weight.sum()
    features -= weight @ features
    weighted = features.T * weight
    ridge = _RIDGE * np.eye(features.shape[1])
    predicted = features @ np.linalg.solve(weighted @ features + ridge, weighted @ target)
    spread = _mean({name: float(each.std()) for name, (_, each) in gold.items()}, shares)
    usual = predicted[weight > 0].std()
    logits = 2 * (level + spread * np.clip(predicted, -_MOST * usual, _MOST * usual))
    return Teacher(logits.astype(np.float32), float((2 * spread * usual) ** 2))


def _mean(values: Mapping[str, float], shares: Mapping[str, float]) -> float:
    return sum(values[name] * share for name, share in shares.items()) / sum(shares.values())


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
    features = WithSurface(encoder).encode(prompts)
    _, scale = standardisation(features, encoder.dim, _EMBEDDING_SCALE)
    return features.astype(np.float64) * scale
