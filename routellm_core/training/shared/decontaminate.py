"""Leave out prompts that resemble an evaluation prompt, so that results are valid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...contracts import Encoder

SIMILAR = 0.95
"""Least cosine at which a prompt counts as a copy (Ong et al., arXiv 2406.18665)."""

_BLOCK = 2048


def contaminated(
    prompts: Sequence[str],
    vectors: NDArray[np.float32],
    evaluation: Sequence[str],
    encoder: Encoder,
    similar: float = SIMILAR,
) -> NDArray[np.bool_]:
    """Return which training prompts are copies, or nearly, of an evaluation prompt.

    Args:
        prompts: to learn from, n of them.
        vectors: of these prompts, shape (n, dim), of any length.
        evaluation: the evaluation prompts.
        encoder: what made the vectors.
        similar: least cosine that counts.

    Returns:
        Shape (n,).
    """
    if not evaluation:
        return np.zeros(len(prompts), np.bool_)
    # A prompt of which the encoder reads nothing has no cosine, but may still be a copy.
    known = frozenset(evaluation)
    copies = np.array([prompt in known for prompt in prompts], np.bool_)
    ours, theirs = _unit(vectors), _unit(encoder.encode(evaluation)).T
    for start in range(0, len(prompts), _BLOCK):
        block = slice(start, start + _BLOCK)
        copies[block] |= (ours[block] @ theirs).max(axis=1) >= similar
    return copies


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each vector to length 1; one that is all zero stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float32] = np.divide(
        vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0
    )
    return units
