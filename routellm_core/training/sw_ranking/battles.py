"""Turn the comparisons of several sources into the battles of one ranking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...routers.embedding_checkpoint import sigmoid
from ...routers.sw_ranking.tally import Battles
from ..shared.comparisons import Comparisons
from .config import SWRankingConfig

_LEAST_SHARE = 1e-3
"""A source of gold in which the strong model wins less often, or loses so, is balanced as if it
did not."""


def battles_of(comparisons: Comparisons, config: SWRankingConfig) -> Battles:
    """Return a battle for each comparison, those of a source weighing as much as configured.

    Sources of gold differ in how often the strong model wins for reasons that have nothing to do
    with a prompt: how hard an exam is, which models took it. So the wins of each are multiplied
    by one number and its defeats by another, such that the strong model wins on all alike: as
    often as in the source ``traffic``, if that is set, or as on all gold together.

    Args:
        comparisons: to be ranked.
        config: says what each source weighs.

    Raises:
        ConfigError: the source ``traffic`` has no battles of the strong or of the weak model.
    """
    source = comparisons.source[comparisons.prompt]
    is_gold = ~np.isnan(comparisons.strong)[comparisons.prompt]
    won, lost = comparisons.p_first.copy(), 1 - comparisons.p_first
    level = _level(comparisons, is_gold, config) if is_gold.any() else 0.5
    for number, name in enumerate(comparisons.sources):
        own = source == number
        if is_gold[own].any():
            share = float(np.clip(won[own].mean(), _LEAST_SHARE, 1 - _LEAST_SHARE))
            won[own] *= level / share
            lost[own] *= (1 - level) / (1 - share)
        total = (won + lost)[own].sum()
        factor = config.source(name).weight * len(source) / total if total else 1.0
        won[own] *= factor
        lost[own] *= factor
    weight = won + lost
    return Battles(comparisons.models, comparisons.first, comparisons.second, won / weight, weight)


def of_votes(comparisons: Comparisons, rows: NDArray[np.bool_]) -> Battles:
    """Return some of the comparisons as they are, each weighing 1.

    Args:
        comparisons: of all sources.
        rows: which of them, shape (m,).
    """
    return Battles(
        comparisons.models,
        comparisons.first[rows],
        comparisons.second[rows],
        comparisons.p_first[rows],
        np.ones(int(rows.sum())),
    )


def _level(comparisons: Comparisons, is_gold: NDArray[np.bool_], config: SWRankingConfig) -> float:
    """Return how often the strong model is to win on each source of gold, in (0, 1)."""
    rows = is_gold
    if config.traffic is not None:
        number = comparisons.sources.index(config.traffic)
        rows = comparisons.source[comparisons.prompt] == number
    votes = of_votes(comparisons, rows)
    strong, weak = map(comparisons.models.index, (config.strong_model, config.weak_model))
    for model in (strong, weak):
        if not ((votes.first == model) | (votes.second == model)).any():
            raise ConfigError(
                f"'traffic' is '{config.traffic}', which has no battle of "
                f"'{comparisons.models[model]}': name a source that has one, or leave 'traffic' out"
            )
    strengths = votes.strengths()
    level = float(sigmoid(strengths[strong] - strengths[weak]))
    return float(np.clip(level, _LEAST_SHARE, 1 - _LEAST_SHARE))
