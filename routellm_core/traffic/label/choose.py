"""Choose which prompts to label: spread over what is asked, each as likely as any other.

Prompts are put in an order in which neighbours are alike, by halving them again and again along
the direction in which they differ most, and every so-many-th is taken from a random start. So all
kinds of prompts are met in proportion, and what is estimated on the chosen ones, such as a bound on
the loss of quality, holds for all: prompts taken only near the threshold would void it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 10
_LARGEST = 20_000
"""Prompts that are put in order; of more, so many are taken at random first."""

_SCORE = 0.5
"""Spread of the router's score beside an embedding's, of length 1."""


def choose(
    prompts: Sequence[str], n: int, vectors: Floats, scores: Floats, seed: int = 0
) -> list[int]:
    """Return the numbers of ``n`` prompts, ascending.

    Args:
        prompts: all of them.
        n: how many to choose.
        vectors: embeddings of the prompts, shape (len(prompts), dim).
        scores: strong win rates of the prompts, shape (len(prompts),).
        seed: of the random start.
    """
    if n >= len(prompts):
        return list(range(len(prompts)))
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(prompts))[:_LARGEST])
    lengths = np.linalg.norm(vectors[rows], axis=1, keepdims=True)
    spread = max(float(scores[rows].std()), 1e-9)
    points = np.column_stack(
        [vectors[rows] / np.maximum(lengths, 1e-9), _SCORE * scores[rows] / spread]
    )
    order = _ordered(points, np.arange(len(rows)), max(1, len(rows) // n))
    at = (rng.random() + np.arange(n)) * len(rows) / n
    return sorted(int(rows[order[int(each)]]) for each in at)


def _ordered(points: Floats, rows: NDArray[np.int64], leaf: int) -> list[int]:
    if len(rows) <= leaf:
        return [int(row) for row in rows]
    own = points[rows] - points[rows].mean(axis=0)
    direction = own[int(np.argmax((own**2).sum(axis=1)))]
    for _ in range(_STEPS):
        direction = own.T @ (own @ direction)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
    ranked = rows[np.argsort(own @ direction, kind="stable")]
    half = len(ranked) // 2
    return _ordered(points, ranked[:half], leaf) + _ordered(points, ranked[half:], leaf)
