"""By how much more than usual abler models do better on a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.outcomes import Outcomes
from ..shared.folds import FOLDS, folds_of
from .rasch import SHARE

Floats = NDArray[np.float64]

HALF_WEIGHT = 8.0
"""A prompt with n models weighs n / (n + HALF_WEIGHT): one outcome tells little of a contrast."""

TRUST = 0.2
"""How far a prompt's own outcomes move its contrast from what its features tell."""

GRID = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Penalties on squared weights that are tried, greatest first, per unit of mean squared error."""


@dataclass(frozen=True)
class Contrast:
    """A linear function of standardised features."""

    weights: Floats
    """Shape (D,)."""
    intercept: float
    l2: float
    """The penalty on the weights."""

    def of(self, features: Floats) -> Floats:
        """Return the contrast of prompts, shape (n,), from features of shape (n, D)."""
        return np.asarray(features @ self.weights + self.intercept)

    def moved(self, outcomes: Outcomes, features: Floats) -> Floats:
        """Return the contrast of a source's prompts, moved by their own outcomes: shape (n,).

        Args:
            outcomes: of the source.
            features: standardised, of its prompts, shape (n, D).
        """
        usual = self.of(features)
        return np.asarray(usual + TRUST * (contrast_of(outcomes) - usual))


def contrast_of(outcomes: Outcomes) -> Floats:
    """Return the contrast that was measured on each prompt: shape (n,).

        c(q) = sum_m (y_m(q) - u_m) (u_m - u(q)) / sqrt(sum_m (u_m - u(q))^2)

    y_m is the quality of model m's answer, u_m its mean over the source, u(q) the mean of those
    of the models that were measured on q. It is brought to mean 0 and standard deviation 1 over
    the source; 0 where the models that were measured are alike.
    """
    seen = np.isfinite(outcomes.quality)
    quality = np.where(seen, outcomes.quality, 0.0)
    means = quality.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    of_prompt = (seen * means).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    ahead = np.where(seen, means - of_prompt[:, None], 0.0)
    length = np.sqrt((ahead**2).sum(axis=1))
    differ = length > 1e-4
    contrast = np.zeros(len(seen))
    if differ.any():
        surplus = (np.where(seen, quality - means, 0.0) * ahead).sum(axis=1)
        contrast[differ] = surplus[differ] / length[differ]
        contrast[differ] -= contrast[differ].mean()
    spread = contrast[differ].std() if differ.any() else 0.0
    return np.asarray(contrast / spread if spread > 1e-6 else np.zeros(len(seen)))


def contrast_weight(outcomes: Outcomes) -> Floats:
    """Return how much each prompt's contrast counts, in [0, 1): shape (n,)."""
    return np.asarray(outcomes.measured / (outcomes.measured + HALF_WEIGHT))


def fit_contrast(sources: Sequence[tuple[Outcomes, Floats, float]]) -> Contrast:
    """Fit the contrast by ridge regression, its penalty chosen over folds of the prompts.

    Args:
        sources: outcomes, the standardised features of their prompts (n, D), and the weight of
            the source beside what its size gives.
    """
    sums = np.zeros((FOLDS, sources[0][1].shape[1] + 1, sources[0][1].shape[1] + 2))
    for outcomes, features, own in sources:
        weight = contrast_weight(outcomes)
        total = weight.sum()
        weight = weight * own * total**SHARE / total if total > 0 else weight
        target = contrast_of(outcomes)[:, None]
        rows = np.hstack([features, np.ones((len(features), 1)), target])
        fold = folds_of(outcomes.prompts)
        for number in range(FOLDS):
            part = rows[fold == number]
            sums[number] += (part[:, :-1].T * weight[fold == number]) @ part
    whole = sums.sum(axis=0)
    l2 = _chosen(sums, whole)
    solved = _solve(whole, l2)
    return Contrast(solved[:-1], float(solved[-1]), l2)


def _solve(sums: Floats, l2: float) -> Floats:
    # The last row of the products is that of the intercept, whose square counts the prompts.
    matrix, target = sums[:, :-1].copy(), sums[:, -1]
    total = matrix[-1, -1]
    matrix[np.arange(len(matrix) - 1), np.arange(len(matrix) - 1)] += l2 * total
    matrix[-1, -1] += 1e-9
    return np.asarray(np.linalg.solve(matrix, target))


def _chosen(sums: Floats, whole: Floats) -> float:
    """Return the penalty of the least squared error on folds that were not learned; of equals, the
    greatest.
    """
    errors = np.zeros(len(GRID))
    for own in sums:
        for at, l2 in enumerate(GRID):
            solved = _solve(whole - own, l2)
            # Less the targets' own squares, which are the same for all.
            errors[at] += solved @ own[:, :-1] @ solved - 2 * solved @ own[:, -1]
    return GRID[int(errors.argmin())]
