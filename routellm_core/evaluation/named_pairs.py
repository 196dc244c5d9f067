"""How well routers that know the two models of each pair order the prompts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..routers.item_response import win_rates
from .pairs import OverPairs, clear_pairs, mean_over_pairs

Floats = NDArray[np.float64]


def mean_over_named_pairs(
    quality: Floats, logits: Mapping[str, Floats], contrast: Floats
) -> OverPairs | None:
    """Return mean APGR over the pairs of ``mean_over_pairs``, each by its own win rates.

    Args:
        quality: quality of each model's answers, shape (n, models), NaN if missing.
        logits: by name, those of each model's being right on each prompt, shape (n, models).
        contrast: of each prompt, shape (n,).

    Returns:
        None if there is no such pair.
    """
    pairs = clear_pairs(quality, np.random.default_rng(0))
    if not pairs:
        return None
    column = np.zeros((quality.shape[1],) * 2, np.int64)
    for at, (strong, weak) in enumerate(pairs):
        column[strong, weak] = column[weak, strong] = at
    scores = {
        name: np.stack([win_rates(own[:, s], own[:, w], contrast) for s, w in pairs], axis=1)
        for name, own in logits.items()
    }
    return mean_over_pairs(quality, scores, judge=column)
