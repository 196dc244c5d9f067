"""Train the mf router: data in, checkpoint with metrics and model card out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import Tensors, save_checkpoint, write_whole
from ..encoders.base import Encoder
from ..encoders.surface import SURFACE_VERSION, surface_features
from ..errors import DataError
from ..evaluation.benchmarks import (
    STRONG_MODEL,
    WEAK_MODEL,
    evaluation_prompts,
    load_benchmark,
    mmlu_gold_hashes,
    sha256_of,
)
from ..evaluation.intervals import bootstrap_apgr, interval
from ..evaluation.metrics import apgr
from ..loading import load_encoder
from ..routers.mf import fold, sigmoid
from .battles import Battle, Gold, is_validation, read_battles, read_gold, read_prompts, source_name
from .decontaminate import contaminated
from .mf_card import card
from .mf_config import MFConfig
from .mf_data import Comparisons, compare_models
from .mf_fit import PARAMETERS, STATE, Progress, fit

METRICS = "metrics.json"
MMLU_GOLD = "mmlu_gold"
"""Name of the source that the gold part of MMLU makes."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class TrainingFiles:
    """What to learn from."""

    battles: Sequence[Path] = ()
    gold: Sequence[Path] = ()
    gold_mmlu: Path | None = None
    """The published evaluation folder, for the MMLU prompts whose labels may be learned."""
    decontaminate: Sequence[Path] = ()
    """Whose prompts are kept out of training: published evaluation folders, or JSON lines with
    a "prompt"."""
    config: Path | None = None
    """Where the configuration was read from."""

    def command(self) -> str:
        """Return what to type to train on these files, which are named without folders."""
        options = {
            "config": [self.config] if self.config else [],
            "battles": self.battles,
            "gold": self.gold,
            "gold-mmlu": [self.gold_mmlu] if self.gold_mmlu else [],
            "decontaminate": self.decontaminate,
        }
        words = [f"--{name} {path.name}" for name, paths in options.items() for path in paths]
        return " \\\n  ".join(["routellm train mf --out DIR", *words])


def train_mf(
    files: TrainingFiles,
    folder: Path,
    config: MFConfig,
    *,
    say: Say = lambda message: None,
    progress: Progress = lambda step, loss: None,
) -> dict[str, Any]:
    """Train on all sources together and write the checkpoint.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card. A run that was cut off goes
            on from the state it left here.
        config: hyper-parameters and how each source is used.
        say: told what is going on.
        progress: told each step and its loss.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or ``folder`` holds another run.
    """
    say("Reading")
    battles, gold, evaluation = _read(files)
    comparisons = compare_models(battles, gold, config)
    encoder = load_encoder(config.encoder)
    say(f"Encoding {len(comparisons.prompts):,} prompts")
    embeddings = encoder.encode(comparisons.prompts)
    copies = np.zeros(len(comparisons.prompts), np.bool_)
    if evaluation:
        say(f"Comparing them with {len(evaluation):,} evaluation prompts")
        copies = contaminated(embeddings, encoder.encode(evaluation))
    held_out = np.array(
        [is_validation(prompt, config.validation_share) for prompt in comparisons.prompts]
    )
    train, validation = ~held_out & ~copies, held_out & ~copies
    raw = np.hstack([embeddings, surface_features(comparisons.prompts)])
    mean, scale = _standardisation(raw[train], encoder.dim, config.embedding_scale)
    features = ((raw - mean) * scale).astype(np.float32)
    usual = _traffic(comparisons, validation, config)
    say("Training")
    learned = comparisons.only(train)
    parameters = fit(features[train], learned, config, folder, progress)
    tensors: Tensors = {
        **{name: parameters[name] for name in PARAMETERS if name != "levels"},
        "features.mean": mean,
        "features.scale": scale,
        "traffic.features": features[usual].astype(np.float16),
    }
    say("Measuring on validation prompts")
    metrics = {
        "sources": _sources(comparisons, train, validation, copies),
        **_validate(tensors, features, comparisons, validation, usual, config),
    }
    _write(folder, tensors, comparisons, encoder, config, metrics, files)
    return metrics


def _read(
    files: TrainingFiles,
) -> tuple[dict[str, list[Battle]], dict[str, list[Gold]], list[str]]:
    battles = {source_name(path): read_battles(path) for path in files.battles}
    gold = {source_name(path): read_gold(path) for path in files.gold}
    learnable: set[str] = set()
    if files.gold_mmlu:
        learnable = set(mmlu_gold_hashes(files.gold_mmlu))
        gold[MMLU_GOLD] = _mmlu_gold(files.gold_mmlu, learnable)
    if not battles and not gold:
        raise DataError("nothing to learn from: give --battles, --gold or --gold-mmlu")
    evaluation = [
        prompt
        for path in files.decontaminate
        for prompt in (evaluation_prompts(path) if path.is_dir() else read_prompts(path))
        if sha256_of(prompt) not in learnable
    ]
    return battles, gold, evaluation


def _mmlu_gold(folder: Path, hashes: set[str]) -> list[Gold]:
    mmlu = load_benchmark("mmlu", folder)
    return [
        Gold(prompt, group, {STRONG_MODEL: float(strong), WEAK_MODEL: float(weak)})
        for prompt, group, strong, weak in zip(
            mmlu.prompts, mmlu.groups, mmlu.strong, mmlu.weak, strict=True
        )
        if sha256_of(prompt) in hashes
    ]


def _standardisation(
    raw: NDArray[np.float32], dim: int, embedding_scale: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean and the factor of each feature.

    Surface features get standard deviation 1, or 0 where they are constant. Embeddings keep the
    proportions of their elements; all together get ``embedding_scale``.
    """
    deviation = raw.std(axis=0)
    deviation[:dim] = raw[:, :dim].std() / embedding_scale
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)
    return raw.mean(axis=0), scale


def _traffic(
    comparisons: Comparisons, validation: NDArray[np.bool_], config: MFConfig
) -> NDArray[np.int64]:
    """Return the prompts whose scores give the quantiles: the first by SHA-256."""
    usual = validation.copy()
    if config.traffic is not None:
        usual &= comparisons.source == comparisons.sources.index(config.traffic)
    candidates = np.flatnonzero(usual)
    order = sorted(candidates, key=lambda i: sha256_of(comparisons.prompts[i]))
    return np.array(order[: config.traffic_prompts], np.int64)


def _sources(
    comparisons: Comparisons,
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    copies: NDArray[np.bool_],
) -> dict[str, dict[str, Any]]:
    described = {}
    for number, name in enumerate(comparisons.sources):
        own = comparisons.source == number
        parts = {"train": train & own, "validation": validation & own}
        described[name] = {
            **{f"{part}_prompts": int(rows.sum()) for part, rows in parts.items()},
            "near_evaluation": int((copies & own).sum()),
            **{f"{part}_sha256": _digest(comparisons, rows) for part, rows in parts.items()},
        }
    return described


def _digest(comparisons: Comparisons, rows: NDArray[np.bool_]) -> str:
    return sha256_of(
        "\n".join(sorted(sha256_of(comparisons.prompts[i]) for i in np.flatnonzero(rows)))
    )


def _validate(
    tensors: Tensors,
    features: NDArray[np.float32],
    comparisons: Comparisons,
    validation: NDArray[np.bool_],
    usual: NDArray[np.int64],
    config: MFConfig,
) -> dict[str, Any]:
    """Return APGR of the router and of prompt length on held-out prompts, by gold source."""
    strong, weak = map(comparisons.models.index, (config.strong_model, config.weak_model))
    weights, intercept = fold(tensors, strong, weak)
    win_rates = sigmoid(features @ weights + intercept)
    measured = {}
    for number, name in enumerate(comparisons.sources):
        rows = np.flatnonzero(validation & (comparisons.source == number))
        better, worse = comparisons.strong[rows], comparisons.weak[rows]
        if not len(rows) or not (better - worse).sum() > 0:
            continue
        scores = {
            "mf": win_rates[rows],
            "length": np.array([float(len(comparisons.prompts[i])) for i in rows]),
        }
        draws = bootstrap_apgr(scores, better, worse)
        measured[name] = {
            "n": len(rows),
            "apgr": apgr(scores["mf"], better, worse),
            "interval": list(interval(draws["mf"])),
            "apgr_of_length": apgr(scores["length"], better, worse),
        }
    traffic = {"prompts": len(usual), "mean_win_rate": float(win_rates[usual].mean())}
    return {"validation": measured, "traffic": traffic}


def _write(
    folder: Path,
    tensors: Tensors,
    comparisons: Comparisons,
    encoder: Encoder,
    config: MFConfig,
    metrics: dict[str, Any],
    files: TrainingFiles,
) -> None:
    described = {
        "router": "mf",
        "strong_model": config.strong_model,
        "weak_model": config.weak_model,
        "encoder": config.encoder,
        "encoder_fingerprint": encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "models": comparisons.models,
        "training": config.model_dump(exclude={"notes"}),
    }
    save_checkpoint(folder, tensors, described, card(config, metrics, comparisons, files.command()))
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    (folder / STATE).unlink(missing_ok=True)
