"""Bootstrap intervals of APGR, and of the difference between two routers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .metrics import Floats

_BLOCK = 50


def bootstrap_apgr(
    scores: Mapping[str, Floats],
    strong: Floats,
    weak: Floats,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Floats]:
    """Return the APGR of each router over resampled queries.

    All routers meet the same resamples, so the difference of two rows, draw by draw, is paired.

    Args:
        scores: by router, shape (n,).
        strong: quality of the strong model's answers, shape (n,).
        weak: quality of the weak model's, shape (n,).
        draws: how many resamples of n queries, with replacement.
        seed: of the resampling.

    Returns:
        By router, shape (draws,); NaN for a resample in which both models are equally good.
    """
    rng = np.random.default_rng(seed)
    n = len(strong)
    results = {name: np.empty(draws) for name in scores}
    for start in range(0, draws, _BLOCK):
        block = min(_BLOCK, draws - start)
        picked = rng.integers(n, size=(block, n)) + n * np.arange(block)[:, None]
        counts = np.bincount(picked.ravel(), minlength=block * n).reshape(block, n)
        for name, values in scores.items():
            results[name][start : start + block] = _apgr_of(counts, values, strong - weak)
    return results


def interval(draws: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap ``draws``, of shape (draws,), NaN left out."""
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _apgr_of(counts: NDArray[np.int64], scores: Floats, gains: Floats) -> Floats:
    """Return APGR with query i taken ``counts[:, i]`` times, one per row.

    A query counts for the share of levels at which it is strong: 1 - (its middle rank) / n,
    by the trapezoidal rule. Queries of equal score have their middle rank in common.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.add.reduceat(counts[:, order], starts, axis=1)
    gained = np.add.reduceat(counts[:, order] * gains[order], starts, axis=1)
    middle_rank = np.cumsum(sizes, axis=1) - sizes / 2
    total = gained.sum(axis=1)
    recovered = (gained * (1 - middle_rank / len(gains))).sum(axis=1)
    apgr: Floats = np.full(len(total), np.nan)
    np.divide(recovered, total, out=apgr, where=total != 0)
    return apgr
