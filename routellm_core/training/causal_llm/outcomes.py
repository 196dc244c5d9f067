"""What a causal LLM learns from the outcomes of many models: the default pair's win rates."""

from __future__ import annotations

import numpy as np

from ..finetune.targets import Targets
from ..outcomes.items import Items
from ..outcomes.rasch import HALF_WEIGHT
from .config import CausalLLMConfig


def targets_of_items(items: Items, config: CausalLLMConfig) -> Targets:
    """Return the prompts that are learned from.

    A prompt teaches the win rate of the default pair by its difficulty and contrast, both moved by
    its own outcomes; a tie is half a win of each, so that the score is the win rate. With
    ``teacher_weight`` what its features alone tell is taught as well; that is all that prompts of
    usual traffic teach, which have no outcomes.

    Args:
        items: what functions that are linear in features learned of the outcomes.
        config: names the weights of sources, and of the teacher.
    """
    prepared = items.prepared
    rows, rates, weight, count = [], [], [], {}
    for outcomes, own in prepared.parts():
        features = prepared.features[own]
        contrast = items.contrast.moved(outcomes, features)
        rows.append(own)
        rates.append(items.rates(items.rasch.difficulty(outcomes, features), contrast))
        share = outcomes.measured / (outcomes.measured + HALF_WEIGHT)
        weight.append(config.source(outcomes.source).weight * share)
        count[outcomes.source] = len(own)
    traffic = prepared.traffic_rows()
    taught_rates = items.rates(items.difficulty(), items.contrast.of(prepared.features))
    rows.append(traffic)
    rates.append(taught_rates[traffic])
    weight.append(np.zeros(len(traffic)))
    place, strong = np.concatenate(rows), np.concatenate(rates)
    weights = np.concatenate(weight)
    # A rate of 1 has no logit.
    sure = np.clip(taught_rates[place], 1e-4, 1 - 1e-4)
    taught = np.log(sure) - np.log1p(-sure)
    teaching = config.teacher_weight / taught.var() if config.teacher_weight else 0.0
    return Targets(
        [prepared.data.prompts[row] for row in place],
        np.stack([strong, np.zeros(len(strong)), 1 - strong], axis=1).astype(np.float32),
        (weights / weights.mean()).astype(np.float32),
        np.zeros((len(place), 3), np.float32),
        taught.astype(np.float32),
        np.full(len(place), teaching, np.float32),
        count,
    )
