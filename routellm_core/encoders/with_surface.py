"""Encoders that extend or project the vectors of another encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..contracts import Encoder
from .surface import SURFACE_DIM, SURFACE_VERSION, write_surface_features


class WithSurface(Encoder):
    """Appends the surface features to the vectors of another encoder.

    Args:
        encoder: the other encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.dim = encoder.dim + SURFACE_DIM
        self.fingerprint = f"{encoder.fingerprint}:surface:{SURFACE_VERSION}"
        self.instant = encoder.instant
        self._encoder = encoder

    def check(self) -> None:
        """As the other encoder's ``check``."""
        self._encoder.check()

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim)."""
        own = self._encoder.encode(prompts)
        vectors = np.empty((len(own), self.dim), np.float32)
        vectors[:, :-SURFACE_DIM] = own
        write_surface_features(prompts, vectors[:, -SURFACE_DIM:])
        return vectors


class Projected(Encoder):
    """Centres the vectors of another encoder and projects them onto a few directions.

    Args:
        encoder: the other encoder.
        mean: vector that is subtracted, shape (encoder.dim,).
        projection: the directions as columns, shape (encoder.dim, dim).
    """

    def __init__(
        self, encoder: Encoder, mean: NDArray[np.float32], projection: NDArray[np.float32]
    ) -> None:
        self.dim = projection.shape[1]
        digest = hashlib.sha256(mean.tobytes() + projection.tobytes()).hexdigest()[:16]
        self.fingerprint = f"{encoder.fingerprint}:projected:{digest}"
        self.instant = encoder.instant
        self._encoder = encoder
        self._mean = mean
        self._projection = projection

    def check(self) -> None:
        """As the other encoder's ``check``."""
        self._encoder.check()

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim)."""
        centred = self._encoder.encode(prompts) - self._mean
        vectors: NDArray[np.float32] = np.dot(centred, self._projection)
        return vectors
