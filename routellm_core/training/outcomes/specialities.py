"""What a model is better or worse at than its ability says: few directions of the features.

    logit P(model m is right on prompt q) = a_m + d_ms - b(q) - l_s + s_m . x_q
    s_m ~ N(0, VARIANCE I)

beside the Rasch model of all (``rasch``), which is held fixed. Models have little data each, so of
the matrix of all s_m only the ``RANK`` largest singular directions are kept, each model weighing
as much as it has outcomes: s_m = u_m V, a matrix factorization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.outcomes import Outcomes
from ...routers.embedding_checkpoint import sigmoid
from .rasch import Rasch

Floats = NDArray[np.float64]

VARIANCE = 1e-4
"""Of a model's weight of a standardised feature: the one of the highest mean APGR of pairs named,
on sources that were not learned. Within the sources that were, 1e-3 is better."""

RANK = 16

_MOST_STEPS = 8


@dataclass(frozen=True)
class Specialities:
    """What was learned, by model; r is the rank."""

    directions: Floats
    """V, over standardised features, shape (r, D)."""
    of_model: dict[str, Floats]
    """u_m of each model, shape (r,)."""

    def of(self, model: str) -> Floats:
        """Return a model's weights of the features, shape (D,): zeros for one not learned from."""
        own = self.of_model.get(model)
        return np.zeros(self.directions.shape[1]) if own is None else own @ self.directions


def fit_specialities(
    sources: Sequence[tuple[Outcomes, Floats, float]], rasch: Rasch
) -> Specialities:
    """Fit each model by Newton's method, and reduce the rank.

    Args:
        sources: outcomes, the standardised features of their prompts (n, D), and the weight of
            the source, as ``fit_rasch`` took them; the weight does not count here.
        rasch: what was learned from them.
    """
    levels = [
        features @ rasch.weights + rasch.level[outcomes.source] for outcomes, features, _ in sources
    ]
    weights, counts = [], []
    for model in rasch.ability:  # one after the other: the features of all would be many copies
        own_sources = []
        for (outcomes, features, _), level in zip(sources, levels, strict=True):
            if model in outcomes.models:
                at = outcomes.models.index(model)
                seen = np.isfinite(outcomes.quality[:, at])
                ability = rasch.ability[model] + rasch.deviation[outcomes.source][at]
                own_sources.append(
                    (features[seen], outcomes.quality[seen, at], ability - level[seen])
                )
        features, quality, expected = map(np.concatenate, zip(*own_sources, strict=True))
        weights.append(_weights(features, quality, expected))
        counts.append(len(quality))
    root = np.sqrt(np.maximum(counts, 1))[:, None]
    left, values, right = np.linalg.svd(np.array(weights) * root, full_matrices=False)
    rank = min(RANK, len(values))
    of_model = left[:, :rank] * values[:rank] / root
    return Specialities(right[:rank], dict(zip(rasch.ability, of_model, strict=True)))


def _weights(features: Floats, quality: Floats, expected: Floats) -> Floats:
    """Return one model's s_m, shape (D,).

    Args:
        features: of the prompts that it was measured on, shape (n, D).
        quality: of its answers, in [0, 1], shape (n,).
        expected: the logits of the Rasch model, shape (n,).
    """
    found = np.zeros(features.shape[1])
    for _ in range(_MOST_STEPS):
        p = sigmoid(expected + features @ found)
        gradient = features.T @ (quality - p) - found / VARIANCE
        hessian = (features * (p * (1 - p))[:, None]).T @ features
        hessian[np.diag_indices_from(hessian)] += 1 / VARIANCE
        step = np.linalg.solve(hessian, gradient)
        found += step
        if np.abs(step).max() < 1e-5:
            break
    return found
