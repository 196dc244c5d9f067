"""Train mf on the outcomes of every model that was measured, so that it knows difficulty itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...data.outcomes import Outcomes
from ...encoders.surface import SURFACE_VERSION
from ...progress import Progress
from ...routers.embedding_checkpoint import OUTCOMES
from ..outcomes.card import outcomes_card
from ..outcomes.items import Items, learn_items
from ..outcomes.prepare import STRONG, WEAK
from ..outcomes.specialities import Specialities, fit_specialities
from ..shared.card import METRICS
from ..shared.files import TrainingFiles
from .config import MFConfig

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
    items = learn_items(files, config, progress)
    progress.stage("Measuring on validation prompts")
    prepared, rasch = items.prepared, items.rasch
    specialities = fit_specialities(items.parts, rasch)
    difficulty, contrast = items.difficulty(), items.contrast.of(prepared.features)
    metrics = items.metrics("mf", items.rates(difficulty, contrast))

    def logits(outcomes: Outcomes, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        own = np.stack([specialities.of(model) for model in outcomes.models], axis=1)
        known = [rasch.ability.get(model, np.nan) for model in outcomes.models]
        return np.asarray(known - difficulty[rows, None] + prepared.features[rows] @ own)

    for source, named in prepared.validate_named(logits, contrast).items():
        metrics["validation"][source]["by_name"] = named
    _write(folder, items, specialities, config, files, metrics)
    return metrics


def _write(
    folder: Path,
    items: Items,
    specialities: Specialities,
    config: MFConfig,
    files: TrainingFiles,
    metrics: dict[str, Any],
) -> None:
    prepared, weights, abilities = items.prepared, items.rasch.weights, items.abilities
    models = list(abilities)
    rank, dim = specialities.directions.shape
    own = [specialities.of_model.get(model, np.zeros(rank)) for model in models]
    tensors: Tensors = {
        "P.weight": np.array(
            [[abilities[m], 1.0, *each] for m, each in zip(models, own, strict=True)], np.float32
        ),
        "text_proj.0.weight": np.vstack([np.zeros(dim), -weights, specialities.directions]).astype(
            np.float32
        ),
        "text_proj.0.bias": np.array([1.0, *np.zeros(1 + rank)], np.float32),
        "classifier.0.weight": np.ones((1, 2 + rank), np.float32),
        "contrast.weight": items.contrast.weights.astype(np.float32),
        "contrast.bias": np.array([items.contrast.intercept], np.float32),
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
