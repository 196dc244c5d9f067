"""How well one order of the prompts serves many pairs of models."""

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
    """Return the mean APGR over all pairs of models with a gap of ``LEAST_GAP`` or more, the weaker
    one of ``LEAST_QUALITY`` or more; over 400 of them drawn at random where there are more.

    APGR is the mean over prompts of the gain of each, weighted by the share of prompts that are
    ordered after it (ties share their places), over the whole gain.

    Args:
        quality: of each model's answer to each prompt, shape (n, models), NaN where missing.
        scores: by name, of each prompt, shape (n,), or (n, k) by each of k judges; a higher one
            goes to the strong model first.
        draws: resamples of the prompts.
        seed: of the resamples, and of the pairs if there are too many.
        judge: the number of the judge by whose scores each pair of models is judged, shape
            (models, models), symmetric; not needed with one.

    Returns:
        None if there is no such pair.
    """
    rng = np.random.default_rng(seed)
    pairs = clear_pairs(quality, rng)
    if not pairs:
        return None
    first, second = np.array(pairs).T
    gains = np.nan_to_num(quality[:, first] - quality[:, second])
    judges = np.zeros(len(pairs), np.int64) if judge is None else judge[first, second]
    numbers = np.unique(judges)
    n = len(quality)
    samples = [np.arange(n), *(rng.integers(0, n, n) for _ in range(draws))]
    found: dict[str, list[float]] = {name: [] for name in scores}
    for sample in samples:
        own = gains[sample]
        whole = own.sum(axis=0)
        sound = whole > LEAST_GAP / 3 * n  # a resample may have next to no gap to divide by
        if not sound.any():
            continue
        shares = np.where(sound, own / np.where(sound, whole, 1.0), 0.0) / sound.sum()
        of_judge = [shares[:, judges == number].sum(axis=1) for number in numbers]
        for name, score in scores.items():
            columns = score[sample].reshape(n, -1)
            one = columns.shape[1] == 1
            found[name].append(
                sum(
                    float(_after(columns[:, 0 if one else number]) @ share)
                    for number, share in zip(numbers, of_judge, strict=True)
                )
            )
    return OverPairs(
        len(pairs),
        {name: values[0] for name, values in found.items()},
        {name: np.array(values[1:]) for name, values in found.items()},
    )


def clear_pairs(quality: Floats, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Return the pairs of models that ``mean_over_pairs`` judges on, the stronger one first.

    Args:
        quality: as it takes them.
        rng: draws pairs if there are too many.
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


def _after(score: Floats) -> Floats:
    """Return the share of prompts that come after each, the highest score first."""
    _, place, count = np.unique(-score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    return np.asarray(1.0 - middle[place] / len(score))
