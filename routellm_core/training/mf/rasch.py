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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.outcomes import Outcomes
from ...routers.embedding_checkpoint import sigmoid

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

MOST_STEPS = 25


@dataclass(frozen=True)
class Rasch:
    """What was learned."""

    weights: Floats
    """Of b(q) over standardised features, shape (D,)."""
    ability: Mapping[str, float]
    """Of each model, in logits; a prompt of average features has difficulty about 0."""


@dataclass(frozen=True)
class _Part:
    """One source, with the places of its parameters."""

    design: Floats
    columns: NDArray[np.int64]
    ability: NDArray[np.int64]
    deviation: NDArray[np.int64]
    weight: Floats
    quality: Floats


def fit_rasch(
    sources: Sequence[tuple[Outcomes, Floats, float]], l2: float, *, steps: int = MOST_STEPS
) -> Rasch:
    """Maximise the penalised likelihood.

    Args:
        sources: outcomes, the standardised features of their prompts (n, D), and the weight of
            the source beside what its size gives.
        l2: penalty on the squared weights of the features, per unit of mean log loss.
        steps: the most steps of Newton's method.
    """
    dim = sources[0][1].shape[1]
    models = sorted({model for outcomes, _, _ in sources for model in outcomes.models})
    parts, penalties = _parts(sources, models, dim, l2)
    share = np.array(
        [part.weight.sum() ** SHARE * own for part, (_, _, own) in zip(parts, sources, strict=True)]
    )
    share /= share.sum()
    theta = np.zeros(len(penalties))
    for _ in range(steps):
        gradient, hessian = -penalties * theta, np.diag(penalties)
        for part, own in zip(parts, share, strict=True):
            _add(part, own / part.weight.sum(), theta, gradient, hessian)
        step = np.linalg.solve(hessian, gradient)
        longest = np.abs(step).max()
        theta += step * min(1.0, 3.0 / longest)
        if longest < 1e-6:
            break
    first = dim + len(sources)
    ability = theta[first : first + len(models)].tolist()
    return Rasch(theta[:dim], dict(zip(models, ability, strict=True)))


def _parts(
    sources: Sequence[tuple[Outcomes, Floats, float]], models: list[str], dim: int, l2: float
) -> tuple[list[_Part], Floats]:
    size = dim + len(sources)
    ability = size + np.arange(len(models))
    size += len(models)
    penalties = [
        np.full(dim, l2),
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
    logit = (
        theta[part.ability] + theta[part.deviation] - (part.design @ theta[part.columns])[:, None]
    )
    p = sigmoid(logit)
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
