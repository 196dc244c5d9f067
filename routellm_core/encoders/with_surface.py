"""An encoder's vectors and the features of the surface that they lose, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .base import Encoder
from .surface import SURFACE_DIM, SURFACE_VERSION, surface_features


class WithSurface(Encoder):
    """The vector of another encoder followed by the surface features.

    Args:
        encoder: the other one.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.dim = encoder.dim + SURFACE_DIM
        self.fingerprint = f"{encoder.fingerprint}:surface:{SURFACE_VERSION}"
        self.instant = encoder.instant
        self._encoder = encoder

    def check(self) -> None:
        """Raise what would keep the encoder from encoding."""
        self._encoder.check()

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim)."""
        return np.hstack([self._encoder.encode(prompts), surface_features(prompts)])
