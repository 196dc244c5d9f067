"""How well one order of the prompts serves many pairs of models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .intervals import interval

Floats = NDArray[np.float64]

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
    interval: dict[str, tuple[float, float]]
    """Bootstrap 95 % interval over prompts."""


def mean_over_pairs(
    quality: Floats, scores: Mapping[str, Floats], draws: int = 200, seed: int = 0
) -> OverPairs | None:
    """Return the mean APGR over all pairs of models with a gap of ``LEAST_GAP`` or more, the weaker
    one of ``LEAST_QUALITY`` or more.

    APGR is the mean over prompts of the gain of each, weighted by the share of prompts that are
    ordered after it (ties share their places), over the whole gain.

    Args:
        quality: of each model's answer to each prompt, shape (n, models), NaN where missing.
        scores: by name, of each prompt, shape (n,); a higher one goes to the strong model first.
        draws: resamples of the prompts.
        seed: of the resamples, and of the pairs if there are too many.

    Returns:
        None if there is no such pair.
    """
    rng = np.random.default_rng(seed)
    gains = _gains(quality, rng)
    if gains is None:
        return None
    n = len(quality)
    samples = [np.arange(n), *(rng.integers(0, n, n) for _ in range(draws))]
    found: dict[str, list[float]] = {name: [] for name in scores}
    for sample in samples:
        own = gains[sample]
        whole = own.sum(axis=0)
        sound = whole > LEAST_GAP / 3 * n  # a resample may have next to no gap to divide by
        if not sound.any():
            continue
        for name, score in scores.items():
            found[name].append(float((_after(score[sample]) @ own[:, sound] / whole[sound]).mean()))
    return OverPairs(
        gains.shape[1],
        {name: values[0] for name, values in found.items()},
        {name: interval(np.array(values[1:])) for name, values in found.items()},
    )


def _gains(quality: Floats, rng: np.random.Generator) -> Floats | None:
    """Return the quality of the stronger less that of the weaker model, shape (n, pairs); 0 on
    prompts where one of them is missing.
    """
    seen = np.isfinite(quality)
    found = []
    for a in range(quality.shape[1]):
        for b in range(a + 1, quality.shape[1]):
            both = seen[:, a] & seen[:, b]
            if both.sum() < _FEWEST_PROMPTS:
                continue
            gain = np.where(both, quality[:, a] - quality[:, b], 0.0)
            gap = gain.sum() / both.sum()
            weaker = min(quality[both, a].mean(), quality[both, b].mean())
            if abs(gap) >= LEAST_GAP and weaker >= LEAST_QUALITY:
                found.append(gain if gap > 0 else -gain)
    if not found:
        return None
    if len(found) > _MOST_PAIRS:
        found = [found[at] for at in rng.permutation(len(found))[:_MOST_PAIRS]]
    return np.stack(found, axis=1)


def _after(score: Floats) -> Floats:
    """Return the share of prompts that come after each, the highest score first."""
    _, place, count = np.unique(-score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    return np.asarray(1.0 - middle[place] / len(score))
