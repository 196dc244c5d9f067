"""Turn fine-tuned weights into a checkpoint, with metrics and model card."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...checkpoints.store import CARD, WEIGHTS
from ...contracts import Router
from ...routers.transformer.pretrained import DESCRIPTION
from ..shared.card import METRICS, card
from ..shared.files import TrainingFiles
from ..shared.prepare import Split
from .config import FinetuneTrainingConfig
from .state import STATE
from .targets import Targets

_QUANTILES = 101


@dataclass(frozen=True)
class Trained:
    """A router that was trained, and what it was trained on."""

    router: str
    """Its name."""
    what: str
    """What the router is, as the card describes it, without a full stop."""
    files: TrainingFiles
    config: FinetuneTrainingConfig
    data: Split
    targets: Targets
    more: Mapping[str, Any]
    """For metrics.json."""


def write(
    trained: Trained, folder: Path, save: Callable[[Path], None], load: Callable[[Path], Router]
) -> dict[str, Any]:
    """Measure a router on validation prompts and write its checkpoint; states are removed.

    Args:
        trained: what it is.
        folder: for the checkpoint.
        save: writes model and tokenizer into a folder.
        load: gives the router of such a folder.

    Returns:
        What metrics.json holds.
    """
    draft = folder / STATE / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    save(draft)
    _describe(trained, draft, None)
    router, data = load(draft), trained.data
    held_out = np.flatnonzero(data.validation)
    win_rates = np.full(len(data.validation), np.nan)
    win_rates[held_out] = router.score([data.comparisons.prompts[i] for i in held_out])
    metrics = {
        "sources": data.sources(),
        **data.validate(trained.router, lambda rows: win_rates[rows]),
        **trained.more,
    }
    quantiles = np.quantile(win_rates[data.usual], np.linspace(0, 1, _QUANTILES))
    _describe(trained, draft, quantiles.tolist())
    (draft / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (draft / CARD).write_text(_card(trained, metrics), encoding="utf-8")
    for path in draft.iterdir():  # safetensors writes for the owner alone, whatever umask says
        shutil.copymode(draft / CARD, path)
    # Weights last: without them it is no checkpoint.
    for path in sorted(draft.iterdir(), key=lambda path: path.name == WEIGHTS):
        os.replace(path, folder / path.name)
    shutil.rmtree(folder / STATE)
    return metrics


def _describe(trained: Trained, folder: Path, quantiles: list[float] | None) -> None:
    described = {
        "router": trained.router,
        "strong_model": trained.config.strong_model,
        "weak_model": trained.config.weak_model,
        "max_length": trained.config.max_length,
        "score_quantiles": quantiles,
        "training": trained.config.model_dump(exclude={"notes"}),
    }
    text = json.dumps(described, indent=1) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _card(trained: Trained, metrics: dict[str, Any]) -> str:
    config, rows = trained.config, trained.targets.rows
    return card(
        trained.router,
        trained.what,
        config,
        metrics,
        trained.data.comparisons,
        trained.files.command(trained.router),
        use=lambda name: f"weight {config.source(name).weight:g}, {rows[name]:,} that compare both",
    )
