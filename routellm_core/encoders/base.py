"""The contract every encoder fulfils, built in or from a plugin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Encoder(ABC):
    """Turns prompts into vectors."""

    dim: int
    """Length of a vector."""

    fingerprint: str
    """Names the encoder and its weights. A checkpoint trained on one encoder's vectors
    refuses an encoder of another fingerprint."""

    instant: bool = False
    """Whether one prompt takes about a millisecond, so that what needs nothing slower may score
    on an event loop."""

    def check(self) -> None:
        """Raise what would keep it from encoding: it is called before traffic comes."""
        return None

    @abstractmethod
    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim). Any string gives finite numbers."""
