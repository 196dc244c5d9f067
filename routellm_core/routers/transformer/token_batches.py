"""Group texts of different lengths into batches with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_TOKENS = 4_096
"""Most tokens in a batch, padding included. It limits the memory that scoring takes."""


def batches(lengths: Sequence[int], *, equal: bool = False) -> Iterator[list[int]]:
    """Yield batches as indices of texts: similar in length, ``MOST_TOKENS`` at most.

    Args:
        lengths: of each text, in tokens. A text longer than the limit is a batch of its own.
        equal: whether all texts of a batch must have the same length.
    """
    batch: list[int] = []
    # The longest first, so that a batch that takes too much memory fails at once.
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        if batch:
            longest = lengths[batch[0]]
            full = (len(batch) + 1) * longest > MOST_TOKENS
            if full or (equal and lengths[number] != longest):
                yield batch
                batch = []
        batch.append(number)
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]], filler: int) -> NDArray[np.int64]:
    """Return rows of numbers as a matrix: shape (len(rows), longest row).

    Args:
        rows: one number per token, such as its id.
        filler: appended to shorter rows.
    """
    matrix = np.full((len(rows), max(len(row) for row in rows)), filler, np.int64)
    for line, row in zip(matrix, rows, strict=True):
        line[: len(row)] = row
    return matrix
