"""Train mf on the outcomes of every model that was measured, so that it knows difficulty itself.

Labels of one pair of models carry that pair's habits, such as a model that explains where a letter
is asked for. Outcomes of many models on the same prompts teach how hard a prompt is, which carries
over to other models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...contracts import Encoder
from ...data.digests import sha256_of
from ...data.outcomes import Outcomes
from ...encoders.surface import SURFACE_VERSION, surface_features
from ...errors import ConfigError, DataError, did_you_mean
from ...evaluation.pairs import mean_over_pairs
from ...progress import Progress
from ...registry.loading import described_encoder
from ...routers.mf.router import OUTCOMES, win_rates
from ..shared.card import METRICS
from ..shared.decontaminate import contaminated
from ..shared.features import standardisation
from ..shared.files import TrainingFiles, read_files
from ..shared.label_faults import usable_gold
from ..shared.prepare import is_held_out
from .config import MFConfig
from .outcomes_card import outcomes_card
from .rasch import Rasch, fit_rasch

STRONG, WEAK = "strong", "weak"
"""Names of the two models of the default pair, which stand for a strong and a weak tier."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Data:
    """Prompts of all sources, each once, and the outcomes of each source."""

    prompts: list[str]
    place: Mapping[str, int]
    """Of each prompt in the list."""
    sources: list[Outcomes]
    findings: dict[str, list[str]]
    """Of the check of labels, by source."""
    traffic: list[str]
    """Prompts of the source that stands for usual traffic; empty: those of all sources."""
    evaluation: list[str]
    """Prompts that must not be learned from."""

    def rows(self, outcomes: Outcomes) -> NDArray[np.int64]:
        """Return the places of a source's prompts."""
        return np.array([self.place[prompt] for prompt in outcomes.prompts], np.int64)


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
    progress.stage("Reading")
    data = _read(files, config, progress)
    progress.stage(f"Encoding {len(data.prompts):,} prompts")
    encoder = described_encoder(config.encoder)
    vectors = encoder.encode(data.prompts)
    copies = contaminated(data.prompts, vectors, data.evaluation, encoder)
    held_out = np.array([is_held_out(prompt, files, config) for prompt in data.prompts])
    learned = ~held_out & ~copies
    used = np.unique(np.concatenate([data.rows(source) for source in data.sources]))
    if not learned[used].any():
        raise DataError("no prompt of gold is left to learn from: give more gold")
    raw = np.hstack([vectors, surface_features(data.prompts)])
    mean, scale = standardisation(raw[used[learned[used]]], encoder.dim, config.embedding_scale)
    features = ((raw - mean) * scale).astype(np.float64)
    progress.stage("Training")
    parts = []
    for source in data.sources:
        keep = learned[data.rows(source)] & (source.measured > 0)
        if keep.any():
            own = source.only(keep)
            parts.append((own, features[data.rows(own)], config.source(source.source).weight))
    rasch = fit_rasch(parts, config.l2)
    progress.stage("Measuring on validation prompts")
    difficulty = features @ rasch.weights
    usual = _usual(data, held_out & ~copies, used, config)
    abilities = {**rasch.ability, STRONG: config.strong_ability, WEAK: config.weak_ability}
    metrics = {
        "sources": _described(data, learned, held_out & ~copies, copies),
        "validation": _validation(data, held_out & ~copies, difficulty),
        "traffic": {
            "prompts": len(usual),
            "mean_win_rate": float(
                win_rates(_logits(difficulty[usual], abilities[STRONG], abilities[WEAK])).mean()
            ),
        },
        "abilities": dict(sorted(abilities.items(), key=lambda item: -item[1])),
        "l2": rasch.l2,
        "label_findings": data.findings,
    }
    _write(folder, rasch, abilities, encoder, config, files, metrics, mean, scale, features[usual])
    return metrics


def _read(files: TrainingFiles, config: MFConfig, progress: Progress) -> _Data:
    rows = read_files(files)
    known = [*rows.gold, *rows.battles]
    for name in (*config.sources, *([config.traffic] if config.traffic else [])):
        if name not in known:
            raise ConfigError(
                f"the configuration names a source '{name}' but no such file was given: "
                f"{did_you_mean(name, known)}"
            )
    if not rows.gold:
        raise DataError("learning from outcomes needs gold: give --gold, or set learn: pair")
    gold, findings = usable_gold(rows.gold, config, progress)
    sources = [Outcomes.of(name, kept, config.canonical()) for name, kept in gold.items()]
    traffic = [row.prompt for row in rows.battles.get(config.traffic or "", ())]
    traffic += [row.prompt for row in rows.gold.get(config.traffic or "", ())]
    prompts = dict.fromkeys(prompt for source in sources for prompt in source.prompts)
    prompts.update(dict.fromkeys(traffic))
    place = {prompt: at for at, prompt in enumerate(prompts)}
    return _Data(list(prompts), place, sources, findings, traffic, rows.evaluation)


def _usual(
    data: _Data, held_out: NDArray[np.bool_], used: NDArray[np.int64], config: MFConfig
) -> NDArray[np.int64]:
    """Return the prompts whose scores give the quantiles: half from the source that stands for
    usual traffic, if there is one, the rest from each source of gold alike; the first by SHA-256.
    """

    def first(rows: Sequence[int] | NDArray[np.int64], most: int) -> list[int]:
        candidates = sorted({int(row) for row in rows if held_out[row]})
        return sorted(candidates, key=lambda row: sha256_of(data.prompts[row]))[:most]

    half = config.traffic_prompts // 2
    chosen = first([data.place[prompt] for prompt in data.traffic], half)
    each = -(-(config.traffic_prompts - len(chosen)) // len(data.sources))
    for source in data.sources:
        chosen += first(data.rows(source), each)
    if not chosen:
        raise DataError(
            "no prompt is held out to calibrate the router on: give more prompts, or raise "
            f"'validation_share' in the configuration (it is {config.validation_share:g})"
        )
    return np.array(chosen, np.int64)


def _described(
    data: _Data,
    learned: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    copies: NDArray[np.bool_],
) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for source in data.sources:
        rows = data.rows(source)
        parts = {"train": rows[learned[rows]], "validation": rows[validation[rows]]}
        described[source.source] = {
            "models": len(source.models),
            **{f"{part}_prompts": len(own) for part, own in parts.items()},
            "near_evaluation": int(copies[rows].sum()),
            **{f"{part}_sha256": _digest(data, own) for part, own in parts.items()},
        }
    return described


def _digest(data: _Data, rows: NDArray[np.int64]) -> str:
    return sha256_of("\n".join(sorted(sha256_of(data.prompts[row]) for row in rows)))


def _validation(
    data: _Data, validation: NDArray[np.bool_], difficulty: Floats
) -> dict[str, dict[str, Any]]:
    """Return, by source, mean APGR over the pairs of models whose gap is wide enough."""
    measured = {}
    for source in data.sources:
        own = source.only(validation[data.rows(source)])
        if len(own.prompts) < 2:
            continue
        scores = {
            "mf": difficulty[data.rows(own)],
            "length": np.array([float(len(prompt)) for prompt in own.prompts]),
        }
        found = mean_over_pairs(own.quality, scores)
        if found is not None:
            measured[source.source] = {
                "n": len(own.prompts),
                "pairs": found.pairs,
                "apgr": found.mean["mf"],
                "interval": list(found.interval["mf"]),
                "apgr_of_length": found.mean["length"],
            }
    return measured


def _logits(difficulty: Floats, strong: float, weak: float) -> Floats:
    return np.stack([strong - difficulty, weak - difficulty], axis=1)


def _write(
    folder: Path,
    rasch: Rasch,
    abilities: Mapping[str, float],
    encoder: Encoder,
    config: MFConfig,
    files: TrainingFiles,
    metrics: dict[str, Any],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    usual: Floats,
) -> None:
    models = [STRONG, WEAK, *rasch.ability]
    dim = len(rasch.weights)
    tensors: Tensors = {
        "P.weight": np.array([[abilities[model], 1.0] for model in models], np.float32),
        "text_proj.0.weight": np.stack([np.zeros(dim), -rasch.weights]).astype(np.float32),
        "text_proj.0.bias": np.array([1.0, 0.0], np.float32),
        "classifier.0.weight": np.ones((1, 2), np.float32),
        "features.mean": mean,
        "features.scale": scale,
        "traffic.features": usual.astype(np.float16),
    }
    described = {
        "router": "mf",
        "link": OUTCOMES,
        "strong_model": STRONG,
        "weak_model": WEAK,
        "encoder": config.encoder,
        "encoder_fingerprint": encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "models": models,
        "training": config.model_dump(exclude={"notes"}),
    }
    save_checkpoint(folder, tensors, described, outcomes_card(config, metrics, files))
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
