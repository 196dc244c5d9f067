"""Scale the features of prompts to comparable spreads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 0.05
"""Least standard deviation that a surface feature is divided by. The features are logarithms of
counts: a spread of .05 is a count that varies by 5 %. Divided by less, what hardly varies in the
training prompts would decide alone as soon as a prompt of another kind comes."""

_NONE = 1e-9
"""A feature that varies less is constant, and its deviation is rounding."""


def standardisation(
    raw: NDArray[np.float32], dim: int, embedding_scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of each feature, and the factor for what is left without the mean.

    A surface feature gets standard deviation 1, or less if it varies by less than
    ``LEAST_SPREAD``, and the factor 0 where it is constant. Embeddings keep the proportions of
    their elements; all together get ``embedding_scale``.

    Args:
        raw: embedding and surface features of n prompts, shape (n, D).
        dim: length of the embedding, the first columns.
        embedding_scale: spread of an embedding's element.
    """
    exact = raw.astype(np.float64)
    deviation = exact.std(axis=0)
    constant = deviation < _NONE
    deviation = np.maximum(deviation, LEAST_SPREAD)
    spread = float(exact[:, :dim].std())
    constant[:dim] = spread < _NONE
    deviation[:dim] = max(spread, _NONE) / embedding_scale
    scale = np.where(constant, 0.0, 1 / deviation)
    return exact.mean(axis=0).astype(np.float32), scale.astype(np.float32)
