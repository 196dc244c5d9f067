"""Share texts of different lengths out in batches, with little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_TOKENS = 4_096
"""In a batch, padding included: what bounds the memory that scoring takes."""


def batches(lengths: Sequence[int], *, equal: bool = False) -> Iterator[list[int]]:
    """Yield the numbers of texts that go together: alike in length, ``MOST_TOKENS`` at most.

    Args:
        lengths: of each text, in tokens. A longer one than the bound goes alone.
        equal: only texts of the same length go together.
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
        rows: of token ids, or of what else there is one of per token.
        filler: put after the end of a shorter row.
    """
    matrix = np.full((len(rows), max(len(row) for row in rows)), filler, np.int64)
    for line, row in zip(matrix, rows, strict=True):
        line[: len(row)] = row
    return matrix
