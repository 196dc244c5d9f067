"""Train mf on comparisons: which of the models of a pair wins, by battles and gold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...encoders.surface import SURFACE_VERSION
from ...progress import Progress
from ...routers.embedding_checkpoint import sigmoid
from ...routers.mf.router import fold
from ..shared.card import METRICS, card
from ..shared.files import TrainingFiles
from ..shared.prepare import Prepared, prepare
from .config import MFConfig
from .fit import PARAMETERS, UNFINISHED, fit

_LEVELS = {
    "shared": "shared level",
    "pooled": "a level of its own, drawn to the others",
    "own": "a level of its own",
}


def train_on_pair(
    files: TrainingFiles, folder: Path, config: MFConfig, progress: Progress
) -> dict[str, Any]:
    """Train on all sources together and write the checkpoint.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card. A run that was cut off goes
            on from the state it left here.
        config: hyper-parameters and how each source is used.
        progress: receives each stage, and each step with its loss.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or ``folder`` holds another run.
    """
    data = prepare(files, config, progress)
    progress.stage("Training")
    learned = data.comparisons.only(data.train)
    parameters = fit(data.features[data.train], learned, config, folder, progress)
    tensors: Tensors = {name: parameters[name] for name in PARAMETERS if name != "levels"}
    progress.stage("Measuring on validation prompts")
    models = data.comparisons.models
    weights, intercept = fold(
        tensors, models.index(config.strong_model), models.index(config.weak_model)
    )
    win_rates = sigmoid(data.features @ weights + intercept)
    metrics = {
        "sources": data.sources(),
        **data.validate("mf", lambda rows: win_rates[rows]),
    }
    _write(folder, tensors, data, config, metrics, files)
    return metrics


def _write(
    folder: Path,
    tensors: Tensors,
    data: Prepared,
    config: MFConfig,
    metrics: dict[str, Any],
    files: TrainingFiles,
) -> None:
    described = {
        "router": "mf",
        "strong_model": config.strong_model,
        "weak_model": config.weak_model,
        "encoder": config.encoder,
        "encoder_fingerprint": data.encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "models": data.comparisons.models,
        "training": config.model_dump(exclude={"notes"}),
    }
    tensors = {
        **tensors,
        "features.mean": data.mean,
        "features.scale": data.scale,
        "traffic.features": data.features[data.usual].astype("float16"),
    }
    written = card(
        "mf",
        f"matrix factorization over the `{config.encoder_name}` embedding of a prompt and\n"
        "features of its surface",
        config,
        metrics,
        data.comparisons,
        files.command("mf"),
        use=lambda name: _use(config, name),
    )
    save_checkpoint(folder, tensors, described, written)
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    (folder / UNFINISHED).unlink(missing_ok=True)


def _use(config: MFConfig, name: str) -> str:
    source = config.source(name)
    what = "level only" if source.level_only else _LEVELS[source.level]
    return f"weight {source.weight:g}, {what}"
