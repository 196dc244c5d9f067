"""The contracts of routers and encoders, built in or from a plugin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Router(ABC):
    """Estimates, from the prompt alone, how likely the strong model's answer is preferred.

    Implementations are deterministic and thread-safe; a batch gives what its prompts give
    one by one, to 1e-6. Any string is accepted (empty, lone surrogates, 10 MB) and gives a
    finite number; whatever is cut off is stated in the class docstring.
    """

    instant: bool = False
    """Whether one prompt takes about a millisecond. Adapters then score on the event loop;
    otherwise in a thread, within the policy's time budget."""

    concurrency: int | None = None
    """Most calls of ``score`` that policies run at once, each on a thread, if the router is not
    instant. None: the policy's ``concurrency``."""

    @abstractmethod
    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1]."""

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over validation prompts: ascending, at evenly spaced levels
        from 0 to 1. None if the router was never calibrated, so that ``strong_share`` cannot
        be turned into a threshold.
        """
        return None

    is_stand_in: bool = False
    """Whether it stands for a router of which nothing is known yet, because the server that scores
    does not answer: it has no quantiles, and ``score`` raises."""

    @property
    def is_stale(self) -> bool:
        """Whether what it scores with has changed elsewhere, so that it must be loaded again."""
        return False

    @property
    def fingerprint(self) -> str | None:
        """Names everything the scores depend on: weights, encoder, options. A change of any
        of them changes it. None, the default: scores are never kept for a later evaluation.
        """
        return None


class Encoder(ABC):
    """Turns prompts into vectors."""

    dim: int
    """Length of a vector."""

    fingerprint: str
    """Names the encoder and its weights. A checkpoint trained on one encoder's vectors
    refuses an encoder of another fingerprint."""

    instant: bool = False
    """Whether one prompt takes about a millisecond, so that a router over it may be scored on an
    event loop."""

    def check(self) -> None:
        """Raise an error if it cannot encode, such as a missing key. Called before any traffic."""
        return None

    @abstractmethod
    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim). Any string gives finite numbers."""
