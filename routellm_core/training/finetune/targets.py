"""What a transformer learns of a prompt: how likely the strong model wins, ties or loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ..shared.comparisons import Comparisons
from .config import FinetuneTrainingConfig
from .teacher import linear_teacher

_RARE = 0.02
"""Least share of an outcome in a level; smaller shares count as this one."""


@dataclass(frozen=True)
class Targets:
    """The prompts to learn from, and what they say of the pair."""

    prompts: list[str]
    probabilities: NDArray[np.float32]
    """Of each outcome, shape (n, 3): the strong model wins, tie, the weak model wins."""
    weight: NDArray[np.float32]
    """Of each prompt in the loss, shape (n,), 1 on average; 0 where nothing compares the pair."""
    levels: NDArray[np.float32]
    """What a prompt's source adds to the logarithms of the probabilities, shape (n, 3)."""
    taught: NDArray[np.float32]
    """The logit of P(strong wins) + P(tie) / 2 by a linear teacher, shape (n,)."""
    teaching: NDArray[np.float32]
    """What its squared error counts for, shape (n,); zeros without a teacher."""
    rows: dict[str, int]
    """Prompts that compare the pair, by source."""


def targets_of(comparisons: Comparisons, config: FinetuneTrainingConfig) -> Targets:
    """Return the targets of the prompts on which the strong and the weak model are compared.

    Where the strong model's answer is by ``d`` in [-1, 1] better than the weak one's, on average,
    P(strong wins) is ``max(d, 0)``, P(weak wins) ``max(-d, 0)``, and P(tie) the rest: as if
    each answer was right as often as its quality says, and right together as often as can be.
    Gold has ``d = quality(strong) - quality(weak)``, a battle ``d = 2 P(strong is better) - 1``.
    Sources count for their weights, however many prompts they have. The levels of a source with
    ``own_level`` are the logarithms of its mean probabilities over those of all sources.

    With a teacher there are all prompts, since it says something of each.

    Args:
        comparisons: to be learned from.
        config: names the pair, the weights of sources, and whether there is a teacher.

    Raises:
        ConfigError: nothing compares the two.
    """
    margin = _margins(comparisons, config)
    compared = ~np.isnan(margin)
    if not compared.any():
        raise ConfigError(
            f"no training data compares '{config.strong_model}' with '{config.weak_model}': "
            "under 'models', say which models count as them"
        )
    teacher = linear_teacher(comparisons, config) if config.teacher_weight else None
    used = np.arange(len(margin)) if teacher else np.flatnonzero(compared)
    taught = teacher.logits if teacher else np.zeros(len(used), np.float32)
    teaching = config.teacher_weight / teacher.variance if teacher else 0.0
    d, source = np.nan_to_num(margin)[used], comparisons.source[used]
    sizes = np.bincount(comparisons.source[compared], minlength=len(comparisons.sources))
    shares = np.array([config.source(name).weight for name in comparisons.sources])
    weight = (shares / np.maximum(sizes, 1))[source] * compared[used]
    probabilities = np.stack([np.maximum(d, 0), 1 - np.abs(d), np.maximum(-d, 0)], axis=1)
    return Targets(
        [comparisons.prompts[i] for i in used],
        probabilities.astype(np.float32),
        (weight / weight.mean()).astype(np.float32),
        _levels(comparisons, probabilities, weight, source, config).astype(np.float32),
        taught,
        np.full(len(used), teaching, np.float32),
        dict(zip(comparisons.sources, sizes.tolist(), strict=True)),
    )


def _levels(
    comparisons: Comparisons,
    probabilities: NDArray[np.float64],
    weight: NDArray[np.float64],
    source: NDArray[np.int64],
    config: FinetuneTrainingConfig,
) -> NDArray[np.float64]:
    overall = np.average(probabilities, axis=0, weights=weight)
    levels = np.zeros_like(probabilities)
    for number, name in enumerate(comparisons.sources):
        rows = source == number
        if config.source(name).own_level and weight[rows].any():
            own = np.average(probabilities[rows], axis=0, weights=weight[rows])
            levels[rows] = np.log(np.maximum(own, _RARE) / np.maximum(overall, _RARE))
    return levels


def _margins(comparisons: Comparisons, config: FinetuneTrainingConfig) -> NDArray[np.float64]:
    """Return by how much the strong model is better on each prompt; NaN where nothing says."""
    strong, weak = (
        comparisons.models.index(model) for model in (config.strong_model, config.weak_model)
    )
    ahead = (comparisons.first == strong) & (comparisons.second == weak)
    behind = (comparisons.first == weak) & (comparisons.second == strong)
    votes = np.where(ahead, 1.0, -1.0) * (2 * comparisons.p_first - 1)
    rows = ahead | behind
    n = len(comparisons.prompts)
    total = np.bincount(comparisons.prompt[rows], votes[rows], n)
    count = np.bincount(comparisons.prompt[rows], minlength=n)
    of_votes = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
    of_gold = comparisons.strong - comparisons.weak
    return np.where(np.isnan(of_gold), of_votes, of_gold)
