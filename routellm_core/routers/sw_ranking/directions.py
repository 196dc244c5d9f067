"""Cosines with many vectors: what takes most of sw_ranking's time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTANT_SIZE = 1_000_000
"""Most numbers in the vectors for which a comparison takes about a millisecond on one thread."""

_BLOCK = 400_000
"""Numbers turned into float32 at a time: few enough to stay in the cache until they are used, and
enough that threads seldom wait for each other's Python code."""

_SMALL_PRODUCT, _SMALL_PRODUCT_WITH_ONE = 1 << 18, 9_000
"""Most multiplications in one product, of many rows with many vectors and with a single one.
OpenBLAS splits larger ones among threads that wait for each other by spinning, which takes a
hundred times as long on a machine that is busy."""

_THREADS = 4
"""Threads for a comparison of more than ``INSTANT_SIZE`` numbers."""


class Directions:
    """Vectors that others are compared with. Thread-safe.

    Args:
        vectors: shape (n, dim), finite. Those of int8, float16 or float32 are not copied; others
            are converted to float32.
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
        """Fill in the cosines of some blocks, in products of ``rows`` rows each."""
        dim, others = columns.shape
        most = max((block.stop - block.start for block in blocks), default=0)
        # One buffer for all blocks: allocating one each time is slower.
        plain = np.zeros((_whole(most, rows), dim), np.float32)
        products = np.empty((len(plain), others), np.float32)
        for block in blocks:
            stored = self.vectors[block]
            size = _whole(len(stored), rows)
            if stored.dtype != np.float32 or len(stored) < size:
                plain[: len(stored)] = stored
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
    """Return the threads of a process. A forked child does not have its parent's."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix=f"routellm-directions-{process}")


def _rows_at_a_time(columns: NDArray[np.float32]) -> int:
    most = _SMALL_PRODUCT_WITH_ONE if columns.shape[1] == 1 else _SMALL_PRODUCT
    return max(1, most // max(1, columns.size))


def _whole(count: int, rows: int) -> int:
    """Return the count rounded up to a multiple of ``rows``."""
    return -(-count // rows) * rows


def _blocks(vectors: NDArray[Any], rows: int) -> Iterator[slice]:
    """Yield slices of the vectors, each but the last a multiple of ``rows`` long."""
    size = rows * max(1, _BLOCK // max(1, rows * vectors.shape[1]))
    for start in range(0, len(vectors), size):
        yield slice(start, min(start + size, len(vectors)))


def _inverse_lengths(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return 1 over the length of each row, 0 for a row of zeros: shape (n,)."""
    squares = np.empty(len(vectors), np.float32)
    for block in _blocks(vectors, 1):
        rows = vectors[block].astype(np.float32)
        np.einsum("ij,ij->i", rows, rows, out=squares[block])
    return np.divide(1.0, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
