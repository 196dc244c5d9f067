"""Make an sw_ranking router of the outcomes of every model that was measured.

The millions of battles between models would say the same of a prompt over and over, so each prompt
becomes one: that of a strong and a weak model, with the result to be expected by how hard the
prompt was for the models that were measured on it, and by its contrast. Both are estimated from
its features and moved by its own outcomes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...data.digests import sha256_of
from ...encoders.surface import SURFACE_VERSION
from ...progress import Progress
from ...routers.embedding_checkpoint import OUTCOMES
from ...routers.sw_ranking.directions import shortened
from ...routers.sw_ranking.router import SWRankingRouter
from ...routers.sw_ranking.tally import Battles
from ..outcomes.card import outcomes_card
from ..outcomes.items import Items, learn_items
from ..outcomes.prepare import STRONG, WEAK
from ..outcomes.rasch import HALF_WEIGHT
from ..shared.card import METRICS
from ..shared.files import TrainingFiles
from .config import SWRankingConfig
from .metric import along, ridge_weights

Floats32 = NDArray[np.float32]

_TIERS = 2

_RIDGE = 1e-3
"""Of the regression of win rates on standardised features."""


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
    items = learn_items(files, config, progress)
    progress.stage("Ranking")
    prepared, abilities = items.prepared, items.abilities
    features = prepared.features
    rows, difficulty, contrast, weight = _battles(items, config.battles)
    rates = items.rates(items.difficulty(), items.contrast.of(features))
    gain = rates[rows] - rates[rows].mean()
    alike = np.full(len(rows), 1 / len(rows))
    advantage = ridge_weights(features[rows], gain, alike, _RIDGE)
    directions = along(features[rows], advantage, config)
    projected = (features @ directions).astype(np.float32)
    vectors = shortened(projected[rows])
    pair = config.strong_ability, config.weak_ability
    router = SWRankingRouter(
        Battles.of_items(difficulty, contrast, weight, *pair),
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
    metrics = items.metrics("sw_ranking", rates)
    tensors: Tensors = {
        "vectors": vectors,
        "difficulty": difficulty,
        "contrast": contrast,
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


def _battles(items: Items, most: int) -> tuple[NDArray[np.int64], Floats32, Floats32, Floats32]:
    """Return prompt, difficulty, contrast and weight of each battle, the first ``most`` by
    SHA-256.
    """
    prepared, found = items.prepared, []
    for outcomes, own in prepared.parts():
        features = prepared.features[own]
        contrast = items.contrast.moved(outcomes, features)
        weight = outcomes.measured / (outcomes.measured + HALF_WEIGHT)
        difficulty = items.rasch.difficulty(outcomes, features)
        found.append((own, np.stack([difficulty, contrast, weight]).astype(np.float32)))
    prompt = np.concatenate([own for own, _ in found])
    columns = np.concatenate([own for _, own in found], axis=1)
    digests = [sha256_of(prepared.data.prompts[row]) for row in prompt]
    kept = np.array(sorted(range(len(prompt)), key=lambda at: digests[at])[:most], np.int64)
    return prompt[kept], *columns[:, kept]
