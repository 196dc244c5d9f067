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
    n = len(gains)
    if n < _FEWEST or np.ptp(gains) < _NONE:
        return None
    mean, level = features.mean(axis=0), float(gains.mean())
    centred = features - mean
    logit = centred @ base
    spread = max(float(logit.std()), _NONE)
    scale = _scale(centred, embedding)
    length = embedding + SURFACE_NAMES.index("characters")
    long = np.sqrt(_LENGTH) / max(float(centred[:, length].std()), _NONE)
    design = np.column_stack(
        [logit * np.sqrt(_BASE) / spread, centred[:, length] * long, centred * scale]
    )
    left, values, right = _decomposed(design)
    errors, priors, slopes, moves = [], [], [], []
    for slope, prior in SLOPES:
        rest = gains - level - slope * logit / spread
        along = left.T @ rest
        for tau in TAU:
            shrink = tau * values**2 / (1 + tau * values**2)
            leverage = np.minimum((left**2) @ shrink + 1 / n, 1 - _NONE)
            error = (rest - left @ (shrink * along)) / (1 - leverage)
            errors.append(float((error**2).mean()))
            priors.append(prior)
            slopes.append(slope)
            moves.append(along * tau * values / (1 + tau * values**2))
    log = -0.5 * n * np.log(np.array(errors)) + np.log(priors)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    moved = right.T @ (weight @ np.array(moves))
    slope = float(weight @ np.array(slopes)) + float(moved[0]) * np.sqrt(_BASE)
    weights = slope / spread * base + moved[2:] * scale
    weights[length] += moved[1] * long
    return Moved(weights, level - float(mean @ weights))


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
