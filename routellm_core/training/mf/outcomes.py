"""Train mf on the outcomes of every model that was measured, so that it knows difficulty itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...encoders.surface import SURFACE_VERSION
from ...progress import Progress
from ...routers.embedding_checkpoint import OUTCOMES
from ...routers.mf.router import win_rates
from ..shared.card import METRICS
from ..shared.files import TrainingFiles
from ..shared.outcomes import STRONG, WEAK, PreparedOutcomes, prepare_outcomes
from ..shared.outcomes_card import outcomes_card
from .config import MFConfig
from .rasch import Rasch, fit_rasch

Floats = NDArray[np.float64]

_WHAT = """matrix factorization
over the `{encoder}` embedding of a prompt and features of its surface, learned from the
outcomes of many models on the same prompts"""


def train_on_outcomes(
    files: TrainingFiles, folder: Path, config: MFConfig, progress: Progress
) -> dict[str, Any]:
    """Train, and write the checkpoint with its metrics and model card.

    Battles are not learned from; one of their files may stand for usual traffic.

    Args:
        files: what to learn from.
        folder: for the checkpoint.
        config: how.
        progress: receives each stage.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    prepared = prepare_outcomes(files, config, progress)
    progress.stage("Training")
    rasch = fit_rasch(
        [
            (outcomes, prepared.features[rows], config.source(outcomes.source).weight)
            for outcomes, rows in prepared.parts()
        ],
        config.l2,
    )
    progress.stage("Measuring on validation prompts")
    difficulty = prepared.features @ rasch.weights
    abilities = {**rasch.ability, STRONG: config.strong_ability, WEAK: config.weak_ability}
    rates = win_rates(
        np.stack([config.strong_ability - difficulty, config.weak_ability - difficulty], axis=1)
    )
    metrics = {
        "sources": prepared.described(),
        "validation": prepared.validate("mf", rates),
        "traffic": {
            "prompts": len(prepared.usual),
            "mean_win_rate": float(rates[prepared.usual].mean()),
        },
        "abilities": dict(sorted(abilities.items(), key=lambda item: -item[1])),
        "l2": rasch.l2,
        "label_findings": prepared.data.findings,
    }
    _write(folder, rasch, abilities, prepared, config, files, metrics)
    return metrics


def _write(
    folder: Path,
    rasch: Rasch,
    abilities: Mapping[str, float],
    prepared: PreparedOutcomes,
    config: MFConfig,
    files: TrainingFiles,
    metrics: dict[str, Any],
) -> None:
    models = [STRONG, WEAK, *rasch.ability]
    dim = len(rasch.weights)
    tensors: Tensors = {
        "P.weight": np.array([[abilities[model], 1.0] for model in models], np.float32),
        "text_proj.0.weight": np.stack([np.zeros(dim), -rasch.weights]).astype(np.float32),
        "text_proj.0.bias": np.array([1.0, 0.0], np.float32),
        "classifier.0.weight": np.ones((1, 2), np.float32),
        "features.mean": prepared.mean,
        "features.scale": prepared.scale,
        "traffic.features": prepared.features[prepared.usual].astype(np.float16),
    }
    described = {
        "router": "mf",
        "link": OUTCOMES,
        "strong_model": STRONG,
        "weak_model": WEAK,
        "encoder": config.encoder,
        "encoder_fingerprint": prepared.encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "models": models,
        "training": config.model_dump(exclude={"notes"}),
    }
    save_checkpoint(
        folder,
        tensors,
        described,
        outcomes_card("mf", _WHAT.format(encoder=config.encoder_name), config, metrics, files),
    )
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
