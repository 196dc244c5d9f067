"""Abilities of models on a router's scale, estimated from labels, and whether the win rates that
result are probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..routers.item_response import win_rates
from .pairs import clear_pairs
from .reliability import reliability

Floats = NDArray[np.float64]

MOST_PAIRS = 100
"""Over which the calibration error is averaged."""

_DRAWS = 20
"""Resamples, for what noise alone gives."""

_FAR = 12.0
"""Logits beyond the hardest and the easiest prompt at which the search for an ability ends."""


@dataclass(frozen=True)
class Calibration:
    """Expected calibration errors over pairs of models, as ``reliability`` defines them."""

    pairs: int
    ece: float
    """The mean."""
    ece_of_noise: float
    """Mean of what perfectly calibrated win rates would show on as many prompts."""
    within: float
    """Share of the pairs at ``LIMIT`` or less."""


LIMIT = 0.05
"""Calibration error at which win rates are taken for probabilities."""


def abilities(difficulty: Floats, quality: Floats) -> Floats:
    """Return the ability of each model in logits, shape (models,).

    It is the value at which the quality expected from the prompts' difficulties equals the model's
    mean quality; NaN for a model without labels.

    Args:
        difficulty: difficulty of each prompt in logits, shape (n,).
        quality: quality of each model's answers, in [0, 1], NaN if missing, shape (n, models).
    """
    found = np.full(quality.shape[1], np.nan)
    for model, column in enumerate(quality.T):
        seen = np.isfinite(column)
        if not seen.any():
            continue
        hard, mean = difficulty[seen], column[seen].mean()
        low, high = hard.min() - _FAR, hard.max() + _FAR
        for _ in range(60):
            middle = (low + high) / 2
            expected = (0.5 + 0.5 * np.tanh(0.5 * (middle - hard))).mean()
            low, high = (middle, high) if expected < mean else (low, middle)
        found[model] = (low + high) / 2
    return found


def calibration(
    items: Floats,
    quality: Floats,
    ability: Sequence[float] | Floats,
    seed: int = 0,
    *,
    right_or_wrong: bool = False,
) -> Calibration | None:
    """Return the calibration error of the win rates of pairs; None if there is no pair.

    Args:
        items: difficulty and contrast of each prompt, shape (n, 2).
        quality: quality of each model's answers, NaN if missing, shape (n, models).
        ability: ability of each model in logits, shape (models,).
        seed: random seed for drawing pairs, if there are more than ``MOST_PAIRS``.
        right_or_wrong: whether the qualities are shares of answers that are right. Then one answer
            is better than another, a tie counting as half, as often as (1 + their difference) / 2.
    """
    rng = np.random.default_rng(seed)
    pairs = [(s, w) for s, w in clear_pairs(quality, rng) if ability[s] > ability[w]]
    if len(pairs) > MOST_PAIRS:
        pairs = [pairs[at] for at in rng.permutation(len(pairs))[:MOST_PAIRS]]
    found = []
    for strong, weak in pairs:
        both = np.isfinite(quality[:, strong]) & np.isfinite(quality[:, weak])
        difficulty, contrast = items[both].T
        rates = win_rates(ability[strong] - difficulty, ability[weak] - difficulty, contrast)
        s, w = quality[both, strong], quality[both, weak]
        better = (1 + s - w) / 2 if right_or_wrong else None
        one = reliability(rates, s, w, better=better, draws=_DRAWS)
        found.append((one.ece.value, one.ece_of_noise))
    if not found:
        return None
    ece, noise = np.array(found).T
    return Calibration(
        len(pairs), float(ece.mean()), float(noise.mean()), float((ece <= LIMIT).mean())
    )
