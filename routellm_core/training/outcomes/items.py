"""What the outcomes of many models tell: abilities, and difficulty and contrast of prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.outcomes import Outcomes
from ...progress import Progress
from ...routers.item_response import win_rates
from ..shared.config import LearnTrainingConfig
from ..shared.files import TrainingFiles
from .contrast import Contrast, fit_contrast
from .prepare import STRONG, WEAK, PreparedOutcomes, prepare_outcomes
from .rasch import Rasch, fit_rasch

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Items:
    """What was learned from outcomes by functions that are linear in the features of a prompt."""

    prepared: PreparedOutcomes
    rasch: Rasch
    contrast: Contrast
    parts: list[tuple[Outcomes, Floats, float]]
    """What both were learned from, as ``fit_rasch`` takes it."""
    config: LearnTrainingConfig

    @property
    def abilities(self) -> Mapping[str, float]:
        """Of the two models of the default pair, then of those that were measured."""
        return {
            STRONG: self.config.strong_ability,
            WEAK: self.config.weak_ability,
            **{
                name: each
                for name, each in self.rasch.ability.items()
                if name not in (STRONG, WEAK)
            },
        }

    def difficulty(self) -> Floats:
        """Return that of each prompt by its features, in logits, shape (n,)."""
        return np.asarray(self.prepared.features @ self.rasch.weights)

    def rates(self, difficulty: Floats, contrast: Floats) -> Floats:
        """Return the win rates of the default pair, shape (n,).

        Args:
            difficulty: of n prompts, in logits.
            contrast: likewise.
        """
        strong, weak = self.config.strong_ability, self.config.weak_ability
        return win_rates(strong - difficulty, weak - difficulty, contrast)

    def metrics(self, router: str, rates: Floats) -> dict[str, Any]:
        """Return what metrics.json holds.

        Args:
            router: its name.
            rates: of each prompt for its default pair, shape (n,); NaN where it is not needed: for
                prompts that are learned from.
        """
        prepared = self.prepared
        return {
            "sources": prepared.described(),
            "validation": prepared.validate(router, rates),
            "traffic": {
                "prompts": len(prepared.usual),
                "mean_win_rate": float(rates[prepared.usual].mean()),
            },
            "abilities": dict(sorted(self.abilities.items(), key=lambda item: -item[1])),
            "l2": self.rasch.l2,
            "l2_of_contrast": self.contrast.l2,
            "label_findings": prepared.data.findings,
        }


def learn_items(files: TrainingFiles, config: LearnTrainingConfig, progress: Progress) -> Items:
    """Read outcomes and fit both functions.

    Args:
        files: what to learn from. Of battles only prompts are used, as usual traffic.
        config: how.
        progress: receives each stage.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    prepared = prepare_outcomes(files, config, progress)
    progress.stage("Estimating difficulties")
    parts = [
        (outcomes, prepared.features[rows], config.source(outcomes.source).weight)
        for outcomes, rows in prepared.parts()
    ]
    return Items(prepared, fit_rasch(parts, config.l2), fit_contrast(parts), parts, config)
