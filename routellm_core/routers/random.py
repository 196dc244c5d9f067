"""A router that guesses: the baseline that every other router must beat."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..contracts import Router


class RandomRouter(Router):
    """Scores uniform in [0, 1), drawn from a hash of the seed and the prompt.

    The same prompt always gets the same score, so an agent's later steps stay on one model.
    """

    instant = True

    def __init__(self, seed: int = 0) -> None:
        self._key = str(int(seed)).encode()

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self._draw(prompt) for prompt in prompts], dtype=np.float64)

    def _draw(self, prompt: str) -> float:
        data = prompt.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, key=self._key, digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / 2**53

    @property
    def score_quantiles(self) -> NDArray[np.float64]:
        return np.array([0.0, 1.0])
