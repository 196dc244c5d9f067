"""Features of prompts that share a template: what does not vary decides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from routellm_core.encoders.surface import surface_features
from routellm_core.progress import SILENT
from routellm_core.training.shared.config import FeatureTrainingConfig
from routellm_core.training.shared.features import LEAST_SPREAD, standardisation
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.shared.prepare import prepare

NAMES = ["river", "poems", "cloud", "stone", "field", "plant", "house", "table"]


def _template_files(folder: Path) -> TrainingFiles:
    """Prompts of one length, that differ in two words."""
    rows = [
        {"prompt": f"Tell me of the {one} and the {other}.", "task": "t", "correct": correct}
        for number, one in enumerate(NAMES)
        for other in NAMES
        for correct in [{"big": 1, "small": number % 2}]
    ]
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TrainingFiles(gold=[path])


def test_constant_features_of_a_template_get_no_weight(tmp_path: Path) -> None:
    config = FeatureTrainingConfig(strong_model="big", weak_model="small", validation_share=0.2)
    data = prepare(_template_files(tmp_path), config, SILENT)
    surface = surface_features(data.comparisons.prompts)
    constant = surface.std(axis=0) < 1e-6
    assert constant.sum() > 5
    own = data.scale[-surface.shape[1] :]
    assert (own[constant] == 0).all()
    assert (own <= 1 / LEAST_SPREAD).all()
    # A prompt of another kind is not thrown far away by what never varied.
    other = surface_features(["def f(x):\n    return x ** 2  # What is f(3)?\n" * 40])
    assert np.abs((other - data.mean[-surface.shape[1] :]) * own)[0].max() < 1e3


def test_large_constants_are_constant_in_single_precision_too() -> None:
    """Their deviation in float32 is rounding, not 0."""
    surface = np.full((3001, 1), 7.3, np.float32)
    embedding = np.random.default_rng(0).normal(size=(3001, 4)).astype(np.float32)
    _, scale = standardisation(np.hstack([embedding, surface]), 4, 0.5)
    assert scale[4] == 0
    assert np.allclose(scale[:4], 0.5 / embedding.std(), rtol=1e-3)
