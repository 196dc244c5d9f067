"""Fit mf on the outcomes of every model that was measured: a Rasch model, by Newton's method.

    logit P(model m is right on prompt q) = a_m + d_ms - b(q)
    b(q) = w . x_q + l_s + l_t

(Rasch 1960; learning one difficulty from many models is item response theory.) a_m is a model's
ability, b(q) the prompt's difficulty, linear in its features; d_ms is how much better the model
is in source s than elsewhere, l_s and l_t the levels of source and task. The levels are small by
their penalty, so that features carry the difference between sources, and are dropped afterwards.
Models that occur in several sources tie their scales together. In mf's form v_m = (a_m, 1) and
W x + c = (1, -b(x)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...data.outcomes import Outcomes
from ...routers.embedding_checkpoint import sigmoid
from ..shared.folds import FOLDS, folds_of

Floats = NDArray[np.float64]

LEVEL_L2 = 1e-2
TASK_L2 = 1e-3
ABILITY_L2 = 1e-4
DEVIATION_L2 = 1e-3
"""Penalties on squared parameters, per unit of mean log loss, beside the features' own."""

HALF_WEIGHT = 4.0
"""A prompt with n models weighs n / (n + HALF_WEIGHT), since models err on the same prompts."""

SHARE = 0.5
"""A source weighs as the sum of its prompts' weights to this power."""

VARIANCE = 0.5
"""Of a prompt's difficulty about what its features tell."""

MOST_STEPS = 25

GRID = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Penalties on the features' weights that are tried, greatest first."""


@dataclass(frozen=True)
class Rasch:
    """What was learned."""

    weights: Floats
    """Of b(q) over standardised features, shape (D,)."""
    ability: Mapping[str, float]
    """Of each model, in logits; a prompt of average features has difficulty about 0."""
    level: Mapping[str, float]
    """l_s, by source."""
    deviation: Mapping[str, Floats]
    """d_ms, by source, of its models in their order."""
    l2: float
    """The penalty on the features' weights."""

    def difficulty(self, outcomes: Outcomes, features: Floats) -> Floats:
        """Return how hard the prompts of a source were for the models that were measured on them,
        in logits: shape (n,).

        Args:
            outcomes: of a source that was learned from.
            features: standardised, of its prompts, shape (n, D).
        """
        ability = np.array([self.ability[model] for model in outcomes.models])
        prior = features @ self.weights + self.level[outcomes.source]
        return posterior_difficulty(
            prior, outcomes.quality, ability + self.deviation[outcomes.source]
        )


@dataclass(frozen=True)
class _Part:
    """One source, with the places of its parameters."""

    design: Floats
    columns: NDArray[np.int64]
    ability: NDArray[np.int64]
    deviation: NDArray[np.int64]
    weight: Floats
    quality: Floats

    def logits(self, theta: Floats) -> Floats:
        """Return those of each model's being right on each prompt, shape (n, models)."""
        level: Floats = self.design @ theta[self.columns]
        return np.asarray(theta[self.ability] + theta[self.deviation] - level[:, None])


def fit_rasch(
    sources: Sequence[tuple[Outcomes, Floats, float]],
    l2: float | None = None,
    *,
    steps: int = MOST_STEPS,
) -> Rasch:
    """Maximise the penalised likelihood.

    Args:
        sources: outcomes, the standardised features of their prompts (n, D), and the weight of
            the source beside what its size gives.
        l2: penalty on the squared weights of the features, per unit of mean log loss; None:
            the one of ``GRID`` with the least log loss on folds that were not learned.
        steps: the most steps of Newton's method.
    """
    dim = sources[0][1].shape[1]
    models = sorted({model for outcomes, _, _ in sources for model in outcomes.models})
    parts, penalties = _parts(sources, models, dim)
    share = np.array(
        [part.weight.sum() ** SHARE * own for part, (_, _, own) in zip(parts, sources, strict=True)]
    )
    share /= share.sum()
    if l2 is None:
        folds = [folds_of(outcomes.prompts) for outcomes, _, _ in sources]
        l2 = _chosen(parts, share, penalties, folds, dim, steps)
    penalties[:dim] = l2
    theta = _maximise(parts, share, penalties, np.zeros(len(penalties)), steps)
    first = dim + len(sources)
    ability = theta[first : first + len(models)].tolist()
    names = [outcomes.source for outcomes, _, _ in sources]
    return Rasch(
        theta[:dim],
        dict(zip(models, ability, strict=True)),
        dict(zip(names, theta[dim:first].tolist(), strict=True)),
        {name: theta[part.deviation] for name, part in zip(names, parts, strict=True)},
        l2,
    )


def posterior_difficulty(prior: Floats, quality: Floats, ability: Floats) -> Floats:
    """Return the likeliest difficulty of each of n prompts, by what its features tell and by the
    outcomes on it: shape (n,).

    Args:
        prior: difficulty by the features, in logits, shape (n,).
        quality: of each of m models' answers, in [0, 1], NaN where it was not measured, shape
            (n, m).
        ability: of each model, in logits, shape (m,).
    """
    seen = np.isfinite(quality)
    # Models err on the same prompts: n outcomes are worth fewer.
    weight = seen * (HALF_WEIGHT / (seen.sum(axis=1, keepdims=True) + HALF_WEIGHT))
    outcome = np.where(seen, quality, 0.0)
    difficulty = prior.copy()
    for _ in range(MOST_STEPS):
        p = sigmoid(ability - difficulty[:, None])
        gradient = (weight * (p - outcome)).sum(axis=1) - (difficulty - prior) / VARIANCE
        curvature = (weight * p * (1 - p)).sum(axis=1) + 1 / VARIANCE
        difficulty += np.clip(gradient / curvature, -1, 1)
    return np.asarray(difficulty)


def _chosen(
    parts: Sequence[_Part],
    share: Floats,
    penalties: Floats,
    folds: Sequence[NDArray[np.int64]],
    dim: int,
    steps: int,
) -> float:
    """Return the penalty of the least log loss on folds that were not learned; of equals, the
    greatest.
    """
    losses = np.zeros(len(GRID))
    of_prompt = share / np.array([part.weight.sum() for part in parts])
    for number in range(FOLDS):
        held = [(fold == number)[:, None] for fold in folds]
        learned = [
            replace(part, weight=part.weight * ~rows)
            for part, rows in zip(parts, held, strict=True)
        ]
        if not sum(part.weight.sum() for part in learned) > 0:
            continue
        theta = np.zeros(len(penalties))
        for at, l2 in enumerate(GRID):  # each starts from the next stronger one
            theta = _maximise(
                learned, share, np.concatenate([np.full(dim, l2), penalties[dim:]]), theta, steps
            )
            for part, rows, own in zip(parts, held, of_prompt, strict=True):
                logit = part.logits(theta)
                loss = np.logaddexp(0.0, logit) - part.quality * logit
                losses[at] += own * float((part.weight * rows * loss).sum())
    return GRID[int(losses.argmin())]


def _maximise(
    parts: Sequence[_Part], share: Floats, penalties: Floats, theta: Floats, steps: int
) -> Floats:
    """Return the parameters of the greatest penalised likelihood, by Newton's method."""
    for _ in range(steps):
        gradient, hessian = -penalties * theta, np.diag(penalties)
        for part, own in zip(parts, share, strict=True):
            if (total := part.weight.sum()) > 0:
                _add(part, own / total, theta, gradient, hessian)
        step = np.linalg.solve(hessian, gradient)
        longest = np.abs(step).max()
        theta = theta + step * min(1.0, 3.0 / max(longest, 1e-12))
        if longest < 1e-6:
            break
    return theta


def _parts(
    sources: Sequence[tuple[Outcomes, Floats, float]], models: list[str], dim: int
) -> tuple[list[_Part], Floats]:
    size = dim + len(sources)
    ability = size + np.arange(len(models))
    size += len(models)
    penalties = [
        np.zeros(dim),
        np.full(len(sources), LEVEL_L2),
        np.full(len(models), ABILITY_L2),
    ]
    parts = []
    for number, (outcomes, features, _) in enumerate(sources):
        own = ability[[models.index(model) for model in outcomes.models]]
        deviation = size + np.arange(len(own))
        size += len(own)
        names, task = np.unique(np.array(outcomes.tasks), return_inverse=True)
        tasks = size + np.arange(len(names))
        size += len(names)
        penalties += [np.full(len(own), DEVIATION_L2), np.full(len(names), TASK_L2)]
        seen = np.isfinite(outcomes.quality)
        parts.append(
            _Part(
                np.hstack([features, np.ones((len(task), 1)), np.eye(len(names))[task]]),
                np.concatenate([np.arange(dim), [dim + number], tasks]),
                own,
                deviation,
                seen / (seen.sum(axis=1, keepdims=True) + HALF_WEIGHT),
                np.where(seen, outcomes.quality, 0.0),
            )
        )
    return parts, np.concatenate(penalties)


def _add(part: _Part, share: float, theta: Floats, gradient: Floats, hessian: Floats) -> None:
    """Add a source's part of the gradient of the log likelihood and of its negative Hessian."""
    p = sigmoid(part.logits(theta))
    weight = part.weight * share
    error, curvature = weight * (part.quality - p), weight * p * (1 - p)
    gradient[part.columns] -= error.sum(axis=1) @ part.design
    prompts = part.design * curvature.sum(axis=1)[:, None]
    hessian[np.ix_(part.columns, part.columns)] += prompts.T @ part.design
    cross, diagonal = -(curvature.T @ part.design), curvature.sum(axis=0)
    for side in (part.ability, part.deviation):
        gradient[side] += error.sum(axis=0)
        hessian[np.ix_(side, part.columns)] += cross
        hessian[np.ix_(part.columns, side)] += cross.T
        for other in (part.ability, part.deviation):
            hessian[side, other] += diagonal
