"""Move a router by labels, in closed form: a ridge regression around it.

    d(q) = c + s z(q) + w . [z(q), l(q), e(q), f(q)],    w ~ N(0, tau V)

d is the quality of the strong model's answer less that of the weak one's, z the base router's
logit, l the logarithm of the prompt's length, e and f the embedding and the surface features, each
of unit spread over the labelled prompts; V says what each may weigh. s is how far the base router
is trusted as it is, and tau how far labels may move it. Both are averaged over a grid, each pair
weighing as its error on rows left out allows (leave-one-out in closed form, from one
decomposition). So few labels leave the base router's order, many give what training from nothing
gives, and a base router that orders these prompts wrongly loses its say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...encoders.surface import SURFACE_NAMES

Floats = NDArray[np.float64]

TAU = np.concatenate([[0.0], 10.0 ** np.arange(-3.0, 1.51, 0.25)])
"""How far labels may move the router: variances of the weights by that of the noise; 0: not."""

SLOPES = ((0.0, 16.0), (0.06, 1.0))
"""s above, how much d grows with a standard deviation of z, and its prior weight."""

_BASE, _LENGTH, _EMBEDDING, _SURFACE = 0.05, 0.05, 1.5, 1.0
"""V above: of z, of l, of e in all and of f in all."""

_LEAST_SPREAD = 0.1
"""Of a surface feature, as of one that varies ten times less here than where the base router was
trained. Divided by less, what hardly varies in the labels would decide alone elsewhere."""

_FEWEST = 5
_NONE = 1e-6


@dataclass(frozen=True)
class Moved:
    """A router after the labels: ``d = intercept + features @ weights``."""

    weights: Floats
    """Over standardised features, shape (D,)."""
    intercept: float

    def gains(self, features: Floats) -> Floats:
        """Return how much better the strong model's answer is expected to be, shape (n,)."""
        gains: Floats = features @ self.weights + self.intercept
        return gains


def move(features: Floats, base: Floats, gains: Floats, embedding: int) -> Moved | None:
    """Return the router after the labels; None where they say too little to move it.

    Args:
        features: standardised, of the labelled prompts, shape (n, D).
        base: weights of the base router's logit over these features, shape (D,).
        gains: quality of the strong model's answer less that of the weak one's, shape (n,).
        embedding: how many of the features, the first ones, are an embedding's.
    """
    if len(gains) < _FEWEST or np.ptp(gains) < _NONE:
        return None
    return Mover(features, base, embedding).moved(gains)


class Mover:
    """Moves a router by labels of the same prompts, which are decomposed once.

    Args:
        features: as for ``move``; so are the others.
    """

    def __init__(self, features: Floats, base: Floats, embedding: int) -> None:
        self._base = base
        self._mean = features.mean(axis=0)
        centred = features - self._mean
        self._logit = centred @ base
        self._spread = max(float(self._logit.std()), _NONE)
        self._scale = _scale(centred, embedding)
        self._length = embedding + SURFACE_NAMES.index("characters")
        length = centred[:, self._length]
        self._long = np.sqrt(_LENGTH) / max(float(length.std()), _NONE)
        design = np.column_stack(
            [
                self._logit * np.sqrt(_BASE) / self._spread,
                length * self._long,
                centred * self._scale,
            ]
        )
        self._left, self._values, self._right = _decomposed(design)
        strength = TAU[:, None] * self._values**2
        self._shrink = strength / (1 + strength)
        leverage = (self._left**2) @ self._shrink.T + 1 / len(features)
        self._left_out = 1 - np.minimum(leverage, 1 - _NONE)

    def moved(self, gains: Floats) -> Moved | None:
        """Return the router after labels; None where they say too little to move it."""
        n = len(gains)
        if n < _FEWEST or np.ptp(gains) < _NONE:
            return None
        level = float(gains.mean())
        errors, moves = [], []
        for slope, _ in SLOPES:
            rest = gains - level - slope * self._logit / self._spread
            along = self._left.T @ rest
            error = (rest[:, None] - self._left @ (self._shrink * along).T) / self._left_out
            errors.append((error**2).mean(axis=0))
            moves.append(along * TAU[:, None] * self._values / (1 + TAU[:, None] * self._values**2))
        slopes, priors = (np.repeat(each, len(TAU)) for each in zip(*SLOPES, strict=True))
        log = -0.5 * n * np.log(np.concatenate(errors)) + np.log(priors)
        weight = np.exp(log - log.max())
        weight /= weight.sum()
        moved = self._right.T @ (weight @ np.concatenate(moves))
        slope = float(weight @ slopes) + float(moved[0]) * np.sqrt(_BASE)
        weights = slope / self._spread * self._base + moved[2:] * self._scale
        weights[self._length] += moved[1] * self._long
        return Moved(weights, level - float(self._mean @ weights))


def _scale(centred: Floats, embedding: int) -> Floats:
    """Return what each feature is multiplied by, for its spread and prior variance, shape (D,)."""
    n, dim = centred.shape
    spread = np.sqrt((centred**2).sum(axis=0) / n)
    whole = np.sqrt((spread[:embedding] ** 2).sum())
    scale = np.empty(dim)
    scale[:embedding] = np.sqrt(_EMBEDDING) / max(float(whole), _NONE)
    each = np.sqrt(_SURFACE / (dim - embedding))
    scale[embedding:] = each / np.maximum(spread[embedding:], _LEAST_SPREAD)
    return scale


def _decomposed(design: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the singular value decomposition, by the smaller of the two squares."""
    wide = design.shape[0] <= design.shape[1]
    values, vectors = np.linalg.eigh(design @ design.T if wide else design.T @ design)
    kept = values > 1e-9 * max(_NONE, values[-1])
    values, vectors = np.sqrt(values[kept]), vectors[:, kept]
    if wide:
        return vectors, values, (vectors / values).T @ design
    return design @ vectors / values, values, vectors.T
