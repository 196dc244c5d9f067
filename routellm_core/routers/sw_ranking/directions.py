"""Many vectors, compared with others by direction alone: the time that sw_ranking takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTANT_SIZE = 1_000_000
"""Up to how many numbers in the vectors a comparison takes about a millisecond, on one thread."""

_BLOCK = 400_000
"""Numbers turned into float32 at a time: few enough to be in the cache still when used, and enough
that threads seldom wait for the interpreter between two of its calls."""

_SMALL_PRODUCT, _SMALL_PRODUCT_WITH_ONE = 1 << 18, 9_000
"""Most multiplications in one product, of many rows with many vectors and with a single one.
Larger ones OpenBLAS shares out among threads that wait for each other by spinning: on a machine
with other work that takes a hundred times as long."""

_THREADS = 4
"""How many compare more than ``INSTANT_SIZE`` numbers."""


class Directions:
    """Vectors that others are compared with. Thread-safe.

    Args:
        vectors: shape (n, dim), finite. Those of int8, float16 or float32 stay where they are,
            in memory or in a mapped file; others are copied as float32.
    """

    def __init__(self, vectors: NDArray[Any]) -> None:
        kept = vectors.dtype in (np.int8, np.float16, np.float32)
        self.vectors = vectors if kept else vectors.astype(np.float32)
        self.instant = vectors.size <= INSTANT_SIZE
        """Whether a comparison with one other takes about a millisecond at most."""
        self._scales = _inverse_lengths(vectors)

    def cosines(self, others: NDArray[Any]) -> NDArray[np.float32]:
        """Return the cosine of each vector with each other; with a vector of zeros it is 0.

        Args:
            others: shape (m, dim), of any length.

        Returns:
            Shape (n, m).
        """
        units = others.astype(np.float32)
        units *= _inverse_lengths(units)[:, None]
        columns = np.ascontiguousarray(units.T)
        cosines = np.empty((len(self.vectors), len(units)), np.float32)
        rows = _rows_at_a_time(columns)
        blocks = list(_blocks(self.vectors, rows))
        if self.instant:
            self._compare(columns, rows, blocks, cosines)
        else:
            shares = (blocks[start::_THREADS] for start in range(_THREADS))
            threads = _threads(os.getpid())
            list(threads.map(lambda share: self._compare(columns, rows, share, cosines), shares))
        return cosines

    def _compare(
        self,
        columns: NDArray[np.float32],
        rows: int,
        blocks: Sequence[slice],
        cosines: NDArray[np.float32],
    ) -> None:
        """Fill in the cosines of some blocks, in products of so many rows."""
        dim, others = columns.shape
        most = max((block.stop - block.start for block in blocks), default=0)
        # Buffers for all blocks: fresh ones each time would be fresh pages of the system.
        plain = np.zeros((_whole(most, rows), dim), np.float32)
        products = np.empty((len(plain), others), np.float32)
        for block in blocks:
            stored = self.vectors[block]
            size = _whole(len(stored), rows)
            if stored.dtype != np.float32 or len(stored) < size:
                _widen(stored, plain[: len(stored)])
                stored = plain[:size]
            operand = stored.reshape(size // rows, rows, dim)
            out = products[:size].reshape(size // rows, rows, others)
            if others == 1:
                np.matmul(operand, columns[:, 0], out=out[..., 0])
            else:
                np.matmul(operand, columns, out=out)
            own = slice(block.stop - block.start)
            np.multiply(products[own], self._scales[block, None], out=cosines[block])


def shortened(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return vectors of about the same directions, in a quarter of the bytes: shape (n, dim)."""
    most = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    short: NDArray[np.int8] = np.rint(vectors / most * 127).astype(np.int8)
    return short


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a fork has none of its parent's and makes its own."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix=f"routellm-directions-{process}")


def _rows_at_a_time(columns: NDArray[np.float32]) -> int:
    most = _SMALL_PRODUCT_WITH_ONE if columns.shape[1] == 1 else _SMALL_PRODUCT
    return max(1, most // max(1, columns.size))


def _whole(count: int, rows: int) -> int:
    """Return the count rounded up to some times the rows."""
    return -(-count // rows) * rows


def _blocks(vectors: NDArray[Any], rows: int) -> Iterator[slice]:
    """Yield which vectors make a block, one block after the other, each some times the rows."""
    size = rows * max(1, _BLOCK // max(1, rows * vectors.shape[1]))
    for start in range(0, len(vectors), size):
        yield slice(start, min(start + size, len(vectors)))


def _widen(vectors: NDArray[Any], out: NDArray[np.float32]) -> None:
    """Copy vectors as float32."""
    if vectors.dtype != np.float16:
        np.copyto(out, vectors)
        return
    # numpy turns float16 into float32 one by one. Four times as fast: with the sign kept at the
    # left and the rest moved to where float32 has it, all that is missing is 112 in the exponent.
    bits = out.view(np.int32)
    np.copyto(bits, vectors.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, ~0x70000000, out=bits)
    out *= np.float32(2.0**112)


def _inverse_lengths(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return 1 over the length of each row, 0 for a row of zeros: shape (n,)."""
    squares = np.empty(len(vectors), np.float32)
    for block in _blocks(vectors, 1):
        rows = vectors[block].astype(np.float32)
        np.einsum("ij,ij->i", rows, rows, out=squares[block])
    return np.divide(1.0, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
