"""How well one order of the prompts works for many pairs of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import Estimate, interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_GAP = 0.03
"""Least difference of two models' mean qualities at which they are a pair to route between."""

LEAST_QUALITY = 0.4
"""Least mean quality of the weaker one. Where both models fail on most prompts, the strong one is
ahead on the easy ones, so that one order of the prompts cannot serve all pairs."""

_MOST_PAIRS = 400
_FEWEST_PROMPTS = 50


@dataclass(frozen=True)
class OverPairs:
    """Mean APGR over pairs of models, by the name of what ordered the prompts."""

    pairs: int
    mean: dict[str, float]
    drawn: dict[str, Floats]
    """The same on each resample of the prompts, the same resamples for all names."""

    @property
    def interval(self) -> dict[str, tuple[float, float]]:
        """Bootstrap 95 % intervals over prompts."""
        return {name: interval(drawn) for name, drawn in self.drawn.items()}

    def estimate(self, name: str) -> Estimate:
        """Return the mean APGR with its interval."""
        return Estimate(self.mean[name], *interval(self.drawn[name]))

    def over(self, name: str, other: str) -> Estimate:
        """Return the mean APGR less that of another, paired."""
        difference = self.drawn[name] - self.drawn[other]
        return Estimate(self.mean[name] - self.mean[other], *interval(difference))


def mean_over_pairs(
    quality: Floats,
    scores: Mapping[str, Floats],
    draws: int = 200,
    seed: int = 0,
    judge: Ints | None = None,
) -> OverPairs | None:
    """Return the mean APGR over all pairs of models whose gap is at least ``LEAST_GAP`` and whose
    weaker model has at least ``LEAST_QUALITY``, or over 400 of them drawn at random.

    APGR is the sum of the prompts' gains, each weighted by the share of prompts ordered after it
    (ties share their places), divided by the sum of all gains. Of a pair's prompts, that is: those
    with labels of both models.

    Args:
        quality: quality of each model's answers, shape (n, models), NaN if missing.
        scores: scores of the prompts by name, shape (n,), or (n, k) from k judges; prompts with
            higher scores go to the strong model first.
        draws: number of resamples of the prompts.
        seed: random seed for resamples, and for drawing pairs.
        judge: which judge's scores count for each pair of models, shape (models, models),
            symmetric; not needed with a single judge.

    Returns:
        None if there is no such pair.
    """
    rng = np.random.default_rng(seed)
    pairs = clear_pairs(quality, rng)
    if not pairs:
        return None
    first, second = np.array(pairs).T
    gains = quality[:, first] - quality[:, second]
    judges = np.zeros(len(pairs), np.int64) if judge is None else judge[first, second]
    # Pairs with the same judge and prompts are ordered together.
    kinds, kind = np.unique(np.vstack([judges, np.isfinite(gains)]), axis=1, return_inverse=True)
    judge_of, seen = kinds[0].astype(np.int64), kinds[1:].astype(np.bool_)
    kind = kind.ravel()
    by_kind = np.argsort(kind, kind="stable")
    starts = np.searchsorted(kind[by_kind], np.arange(len(judge_of)))
    gains = np.nan_to_num(gains)
    n = len(quality)
    samples = [np.arange(n), *(rng.integers(0, n, n) for _ in range(draws))]
    found: dict[str, list[float]] = {name: [] for name in scores}
    for sample in samples:
        own = gains[sample]
        whole, its_seen = own.sum(axis=0), seen[sample]
        # A resample may have next to no gap to divide by.
        sound = whole > LEAST_GAP / 3 * its_seen.sum(axis=0)[kind]
        if not sound.any():
            continue
        shares = np.where(sound, own / np.where(sound, whole, 1.0), 0.0) / sound.sum()
        of_kind = np.add.reduceat(shares[:, by_kind], starts, axis=1)
        for name, score in scores.items():
            columns = score[sample].reshape(n, -1)
            one = columns.shape[1] == 1
            value = 0.0
            for number in np.unique(judge_of):
                own_kinds = judge_of == number
                after = _after(columns[:, 0 if one else number], its_seen[:, own_kinds])
                value += float((after * of_kind[:, own_kinds]).sum())
            found[name].append(value)
    return OverPairs(
        len(pairs),
        {name: values[0] for name, values in found.items()},
        {name: np.array(values[1:]) for name, values in found.items()},
    )


def clear_pairs(quality: Floats, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return the pairs of models over which ``mean_over_pairs`` averages, the stronger model first.

    Args:
        quality: as for ``mean_over_pairs``.
        rng: draws the pairs if there are too many.
    """
    seen = np.isfinite(quality)
    found = []
    for a in range(quality.shape[1]):
        for b in range(a + 1, quality.shape[1]):
            both = seen[:, a] & seen[:, b]
            if both.sum() < _FEWEST_PROMPTS:
                continue
            of_a, of_b = quality[both, a].mean(), quality[both, b].mean()
            if abs(of_a - of_b) >= LEAST_GAP and min(of_a, of_b) >= LEAST_QUALITY:
                found.append((a, b) if of_a > of_b else (b, a))
    if len(found) > _MOST_PAIRS:
        found = [found[at] for at in rng.permutation(len(found))[:_MOST_PAIRS]]
    return found


def _after(score: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return which share of the prompts that are seen comes after each, the highest score first.

    Args:
        score: shape (n,).
        seen: several choices of prompts, shape (n, k).

    Returns:
        Shape (n, k).
    """
    _, place, size = np.unique(-score, return_inverse=True, return_counts=True)
    ordered = seen[np.argsort(place, kind="stable")].astype(np.float64)
    counts = np.add.reduceat(ordered, np.cumsum(size) - size, axis=0)
    middle = np.cumsum(counts, axis=0) - counts / 2
    return np.asarray(1.0 - middle[place] / np.maximum(counts.sum(axis=0), 1))
