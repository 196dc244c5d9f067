"""Train mf on comparisons: which of the models of a pair wins, by battles and gold.

The fit is convex and takes seconds, so an interrupted run starts again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...encoders.surface import SURFACE_VERSION
from ...errors import ConfigError
from ...progress import Progress
from ...routers.embedding_checkpoint import sigmoid
from ..shared.card import METRICS, card
from ..shared.comparisons import Comparisons
from ..shared.files import TrainingFiles
from ..shared.folds import folds_of
from ..shared.prepare import Prepared, prepare, tell_if_constant, usual_prompts
from ..sw_ranking.battles import of_votes
from .config import MFConfig
from .fit import PairFit, fit_pair

Floats = NDArray[np.float64]


def train_on_pair(
    files: TrainingFiles, folder: Path, config: MFConfig, progress: Progress
) -> dict[str, Any]:
    """Train on all sources together and write the checkpoint.

    The validation figures are of a fit without the validation prompts. What is written is then
    fitted to all prompts, unless they are held out by a fold: at 200 labels, a tenth of them
    counts.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card.
        config: hyper-parameters and how each source is used.
        progress: receives each stage.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or the weak model beats the
            strong one in it.
    """
    data = prepare(files, config, progress)
    progress.stage("Training")
    learned, strength, fit = _learn(data, data.train, config)
    progress.stage("Measuring on validation prompts")
    measured = data.validate("mf", lambda rows: _win_rates(fit, data.features[rows]))
    used = data.train
    if files.held_out is None:
        progress.stage("Training on validation prompts too")
        used = data.train | data.validation
        learned, strength, fit = _learn(data, used, config)
    logits = data.features @ fit.weights + fit.intercept
    tell_if_constant(sigmoid(logits), progress)
    metrics = {
        "sources": data.sources(used),
        "validation_learned": used is not data.train,
        "l2": fit.l2,
        **measured,
    }
    unseen = _unseen(logits, fit, learned, used)
    usual = usual_prompts(data.comparisons, data.train | data.validation, config)
    metrics["traffic"] = {
        "prompts": len(usual),
        "learned": int(used[usual].sum()),
        "mean_win_rate": float(sigmoid(unseen[usual]).mean()),
    }
    tensors: Tensors = {
        "P.weight": strength[:, None].astype(np.float32),
        "text_proj.0.weight": fit.weights[None].astype(np.float32),
        "text_proj.0.bias": np.array([fit.intercept], np.float32),
        "classifier.0.weight": np.ones((1, 1), np.float32),
    }
    tensors["traffic.features"] = _traffic(
        data.features[usual], fit.weights, unseen[usual] - logits[usual]
    )
    _write(folder, tensors, data, config, metrics, files)
    return metrics


def _learn(
    data: Prepared, used: NDArray[np.bool_], config: MFConfig
) -> tuple[Comparisons, Floats, PairFit]:
    """Return the comparisons of the prompts that are used, shape (n,), the models' strengths in
    them, and the fit.
    """
    learned = data.comparisons.only(used)
    strength = _strengths(learned, config)
    return learned, strength, _fit(data.features[used], learned, strength, config)


def _win_rates(fit: PairFit, features: NDArray[np.float32]) -> Floats:
    return sigmoid(features @ fit.weights + fit.intercept)


def _unseen(logits: Floats, fit: PairFit, learned: Comparisons, train: NDArray[np.bool_]) -> Floats:
    """Return the logit of each prompt as if it had not been learned, shape (n,).

    Prompts that were learned get more extreme ones than others, and thresholds of a share that are
    taken from them would be too high.

    Args:
        logits: of each prompt by the fit, shape (n,).
        fit: also gives those of prompts that were learned, by fits without them.
        learned: the comparisons of the fit.
        train: which prompts they are of, shape (n,).
    """
    count = np.bincount(learned.prompt, minlength=len(learned.prompts))
    sums = np.bincount(learned.prompt, fit.held_out, minlength=len(learned.prompts))
    unseen: Floats = logits.copy()
    unseen[train] = np.where(count, sums / np.maximum(count, 1), logits[train])
    return unseen


def _traffic(features: NDArray[np.float32], weights: Floats, more: Floats) -> NDArray[np.float16]:
    """Return features of usual traffic, each moved along the weights so that its logit is greater
    by ``more``: so every pair of models in the checkpoint has its quantiles.
    """
    squared = float(weights @ weights)
    along = np.outer(more / squared, weights) if squared > 1e-12 else 0.0
    return np.asarray(features + along, np.float16)


def _fit(
    features: NDArray[np.float32], comparisons: Comparisons, strength: Floats, config: MFConfig
) -> PairFit:
    """Fit all comparisons, those of a source weighing as much as configured, whatever its size."""
    prompt = comparisons.prompt
    source = comparisons.source[prompt]
    sizes = np.bincount(source, minlength=len(comparisons.sources))
    shares = np.array([config.source(name).weight for name in comparisons.sources])
    return fit_pair(
        features.astype(np.float64)[prompt],
        comparisons.p_first,
        strength[comparisons.first] - strength[comparisons.second],
        (shares / np.maximum(sizes, 1))[source],
        folds_of(comparisons.prompts)[prompt],
        config.l2,
    )


def _strengths(comparisons: Comparisons, config: MFConfig) -> Floats:
    """Return each model's strength on a scale on which the reference pair is 1 apart, (K,)."""
    models = comparisons.models
    strong, weak = models.index(config.strong_model), models.index(config.weak_model)
    if len(models) == 2:
        return np.where(np.arange(2) == strong, 0.5, -0.5)
    strengths = of_votes(comparisons, np.ones(len(comparisons.p_first), np.bool_)).strengths()
    apart = float(strengths[strong] - strengths[weak])
    if not apart > 0:
        raise ConfigError(
            f"'{config.weak_model}' wins as often as '{config.strong_model}' or more often: swap "
            "strong_model and weak_model, or name other models"
        )
    return np.asarray((strengths - strengths[weak]) / apart)


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
    }
    written = card(
        "mf",
        f"matrix factorization over the `{config.encoder_name}` embedding of a prompt and\n"
        "features of its surface",
        config,
        metrics,
        data.comparisons,
        files.command("mf"),
        use=lambda name: f"weight {config.source(name).weight:g}",
    )
    save_checkpoint(folder, tensors, described, written)
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
