"""Folds of prompts over which a penalty is chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...data.digests import sha256_of

FOLDS = 5


def folds_of(prompts: Sequence[str]) -> NDArray[np.int64]:
    """Return the fold of each prompt, in [0, FOLDS); equal prompts share one. Shape (n,)."""
    return np.array([int(sha256_of(prompt)[:8], 16) % FOLDS for prompt in prompts], np.int64)
