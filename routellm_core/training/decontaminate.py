"""Leave out what resembles an evaluation prompt, so that results mean something."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIMILAR = 0.95
"""Least cosine at which a prompt counts as a copy (Ong et al., arXiv 2406.18665)."""

_BLOCK = 2048


def contaminated(
    vectors: NDArray[np.float32],
    evaluation: NDArray[np.float32],
    similar: float = SIMILAR,
) -> NDArray[np.bool_]:
    """Return which training prompts are copies, or nearly, of an evaluation prompt.

    Args:
        vectors: of the training prompts, shape (n, dim), each of length 1.
        evaluation: of the evaluation prompts, shape (m, dim), of the same encoder.
        similar: least cosine that counts.

    Returns:
        Shape (n,).
    """
    if not len(evaluation):
        return np.zeros(len(vectors), np.bool_)
    blocks: Sequence[NDArray[np.bool_]] = [
        (vectors[start : start + _BLOCK] @ evaluation.T).max(axis=1) >= similar
        for start in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.bool_)
