"""Make an sw_ranking router of the outcomes of every model that was measured.

The millions of battles between models would say the same of a prompt over and over, so each prompt
becomes one: that of a strong and a weak model, with the result to be expected by how hard the
prompt was for the models that were measured on it. How hard is estimated by ``mf``'s Rasch model
and moved by the prompt's own outcomes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...data.digests import sha256_of
from ...data.outcomes import Outcomes
from ...encoders.surface import SURFACE_VERSION
from ...progress import Progress
from ...routers.embedding_checkpoint import OUTCOMES, sigmoid
from ...routers.sw_ranking.directions import shortened
from ...routers.sw_ranking.router import SWRankingRouter
from ...routers.sw_ranking.tally import Battles
from ..mf.rasch import HALF_WEIGHT, Rasch, fit_rasch
from ..shared.card import METRICS
from ..shared.files import TrainingFiles
from ..shared.outcomes import STRONG, WEAK, PreparedOutcomes, prepare_outcomes
from ..shared.outcomes_card import outcomes_card
from .config import SWRankingConfig
from .metric import along

Floats = NDArray[np.float64]

VARIANCE = 0.5
"""Of a prompt's difficulty about what its features tell."""

_MOST_STEPS = 30

_TIERS = 2

_WHAT = """similarity-weighted
ranking by the `{encoder}` embedding of a prompt and features of its surface, of one battle on each
prompt, whose result is that to be expected by the outcomes of many models on it"""


def train_on_outcomes(
    files: TrainingFiles, folder: Path, config: SWRankingConfig, progress: Progress
) -> dict[str, Any]:
    """Train, and write the checkpoint with its metrics and model card.

    Votes are not learned from; one of their files may stand for usual traffic.

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
    progress.stage("Ranking")
    parts = prepared.parts()
    features = prepared.features
    rasch = fit_rasch(
        [(own, features[rows], config.source(own.source).weight) for own, rows in parts], config.l2
    )
    rows, difficulty, weight = _battles(prepared, parts, rasch, config.battles)
    directions = along(features[rows], rasch.weights, config)
    projected = (features @ directions).astype(np.float32)
    vectors = shortened(projected[rows])
    abilities = {
        STRONG: config.strong_ability,
        WEAK: config.weak_ability,
        **{model: each for model, each in rasch.ability.items() if model not in (STRONG, WEAK)},
    }
    router = SWRankingRouter(
        Battles.of_difficulty(difficulty, weight, config.strong_ability, config.weak_ability),
        vectors,
        strong_model=STRONG,
        weak_model=WEAK,
        num_tiers=_TIERS,
        gamma=config.gamma,
    )
    progress.stage("Measuring on validation prompts")
    rates = np.full(len(features), np.nan)
    measured = np.flatnonzero(prepared.validation)
    rates[measured] = router.score_embeddings(projected[measured])
    usual = prepared.usual
    metrics = {
        "sources": prepared.described(),
        "validation": prepared.validate("sw_ranking", rates),
        "traffic": {"prompts": len(usual), "mean_win_rate": float(rates[usual].mean())},
        "abilities": dict(sorted(abilities.items(), key=lambda item: -item[1])),
        "l2": rasch.l2,
        "label_findings": prepared.data.findings,
    }
    tensors: Tensors = {
        "vectors": vectors,
        "difficulty": difficulty,
        "weight": weight,
        "ability": np.array(list(abilities.values()), np.float32),
        "features.mean": prepared.mean,
        "features.projection": (prepared.scale[:, None] * directions).astype(np.float32),
        "traffic": shortened(projected[usual]),
    }
    described = {
        "router": "sw_ranking",
        "link": OUTCOMES,
        "strong_model": STRONG,
        "weak_model": WEAK,
        "encoder": config.encoder,
        "encoder_fingerprint": prepared.encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "num_tiers": _TIERS,
        "gamma": config.gamma,
        "models": list(abilities),
        "training": config.model_dump(exclude={"notes"}),
    }
    what = _WHAT.format(encoder=config.encoder_name)
    written = outcomes_card("sw_ranking", what, config, metrics, files)
    save_checkpoint(folder, tensors, described, written)
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    return metrics


def posterior_difficulty(prior: Floats, quality: Floats, ability: Floats) -> Floats:
    """Return the likeliest difficulty of each of n prompts, by what its features tell and by the
    outcomes on it: shape (n,).

    Args:
        prior: difficulty by the features, in logits, shape (n,).
        quality: of each of m models' answers, in [0, 1], NaN where it was not measured, shape
            (n, m).
        ability: of each model, in logits, shape (m,).
    """
    seen = np.isfinite(quality)
    # Models err on the same prompts: n outcomes are worth fewer.
    weight = seen * (HALF_WEIGHT / (seen.sum(axis=1, keepdims=True) + HALF_WEIGHT))
    outcome = np.where(seen, quality, 0.0)
    difficulty = prior.copy()
    for _ in range(_MOST_STEPS):
        p = sigmoid(ability - difficulty[:, None])
        gradient = (weight * (p - outcome)).sum(axis=1) - (difficulty - prior) / VARIANCE
        curvature = (weight * p * (1 - p)).sum(axis=1) + 1 / VARIANCE
        difficulty += np.clip(gradient / curvature, -1, 1)
    return np.asarray(difficulty)


def _battles(
    prepared: PreparedOutcomes,
    parts: list[tuple[Outcomes, NDArray[np.int64]]],
    rasch: Rasch,
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Return prompt, difficulty and weight of each battle, the first ``most`` by SHA-256."""
    rows, difficulty, weight = [], [], []
    for outcomes, own in parts:
        prior = prepared.features[own] @ rasch.weights + rasch.level[outcomes.source]
        ability = np.array([rasch.ability[model] for model in outcomes.models])
        ability += rasch.deviation[outcomes.source]
        rows.append(own)
        difficulty.append(posterior_difficulty(prior, outcomes.quality, ability))
        weight.append(outcomes.measured / (outcomes.measured + HALF_WEIGHT))
    prompt = np.concatenate(rows)
    digests = [sha256_of(prepared.data.prompts[row]) for row in prompt]
    kept = np.array(sorted(range(len(prompt)), key=lambda at: digests[at])[:most], np.int64)
    return (
        prompt[kept],
        np.concatenate(difficulty)[kept].astype(np.float32),
        np.concatenate(weight)[kept].astype(np.float32),
    )
