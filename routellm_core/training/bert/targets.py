"""What bert learns of a prompt from the outcomes of many models: its difficulty and contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..outcomes.contrast import contrast_of, contrast_weight
from ..outcomes.items import Items
from ..outcomes.rasch import HALF_WEIGHT

_TRAFFIC_WEIGHT = 0.5


@dataclass(frozen=True)
class Targets:
    """n prompts with both targets."""

    prompts: list[str]
    values: NDArray[np.float32]
    """Difficulty, brought to mean 0 and standard deviation 1, and contrast, shape (n, 2)."""
    weight: NDArray[np.float32]
    """Of each in the loss, shape (n, 2)."""
    center: float
    """Mean of the difficulties, in logits."""
    spread: float
    """Their standard deviation."""


def targets_of(items: Items) -> Targets:
    """Return the prompts that are learned from.

    The difficulty is ``Rasch.difficulty``. Prompts of usual traffic that have no outcomes are
    learned with the difficulty that the linear model gives them.

    Args:
        items: what functions that are linear in features learned of the same outcomes.
    """
    prepared, rasch = items.prepared, items.rasch
    rows, difficulty, contrast, weight = [], [], [], []
    for outcomes, own in prepared.parts():
        share = items.config.source(outcomes.source).weight
        n = outcomes.measured
        rows.append(own)
        difficulty.append(rasch.difficulty(outcomes, prepared.features[own]))
        contrast.append(contrast_of(outcomes))
        both = np.stack([n / (n + HALF_WEIGHT), contrast_weight(outcomes)], axis=1)
        weight.append(share * both)
    usual = prepared.traffic_rows()
    rows.append(usual)
    difficulty.append(prepared.features[usual] @ rasch.weights)
    contrast.append(np.zeros(len(usual)))
    weight.append(np.tile([_TRAFFIC_WEIGHT, 0.0], (len(usual), 1)))
    targets, weights = np.concatenate(difficulty), np.concatenate(weight)
    center = float(np.average(targets, weights=weights[:, 0]))
    spread = float(np.sqrt(np.average((targets - center) ** 2, weights=weights[:, 0]))) or 1.0
    values = np.stack([(targets - center) / spread, np.concatenate(contrast)], axis=1)
    prompts = [prepared.data.prompts[row] for row in np.concatenate(rows)]
    return Targets(prompts, values.astype(np.float32), weights.astype(np.float32), center, spread)
