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
class Tuned:
    """A fine-tuned router, and what it was made from."""

    router: str
    """Its name."""
    what: str
    """What it does with a prompt, the end of the card's first sentence."""
    files: TrainingFiles
    config: FinetuneTrainingConfig
    data: Split
    targets: Targets
    more: Mapping[str, Any]
    """Further entries of metrics.json."""


def write(
    tuned: Tuned, folder: Path, save: Callable[[Path], None], load: Callable[[Path], Router]
) -> dict[str, Any]:
    """Measure a router on validation prompts and write its checkpoint; states are removed.

    Args:
        tuned: what was made.
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
    _describe(tuned, draft, None)
    router, data = load(draft), tuned.data
    held_out = np.flatnonzero(data.validation)
    win_rates = np.full(len(data.validation), np.nan)
    win_rates[held_out] = router.score([data.comparisons.prompts[i] for i in held_out])
    metrics = {
        "sources": data.sources(),
        **data.validate(tuned.router, lambda rows: win_rates[rows]),
        **tuned.more,
    }
    quantiles = np.quantile(win_rates[data.usual], np.linspace(0, 1, _QUANTILES))
    _describe(tuned, draft, quantiles.tolist())
    (draft / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (draft / CARD).write_text(_card(tuned, metrics), encoding="utf-8")
    for path in draft.iterdir():  # safetensors writes for the owner alone, whatever umask says
        shutil.copymode(draft / CARD, path)
    # Weights last: without them it is no checkpoint.
    for path in sorted(draft.iterdir(), key=lambda path: path.name == WEIGHTS):
        os.replace(path, folder / path.name)
    shutil.rmtree(folder / STATE)
    return metrics


def _describe(tuned: Tuned, folder: Path, quantiles: list[float] | None) -> None:
    described = {
        "router": tuned.router,
        "strong_model": tuned.config.strong_model,
        "weak_model": tuned.config.weak_model,
        "max_length": tuned.config.max_length,
        "score_quantiles": quantiles,
        "training": tuned.config.model_dump(exclude={"notes"}),
    }
    text = json.dumps(described, indent=1) + "\n"
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _card(tuned: Tuned, metrics: dict[str, Any]) -> str:
    config, rows = tuned.config, tuned.targets.rows
    return card(
        tuned.router,
        tuned.what,
        config,
        metrics,
        tuned.data.comparisons,
        tuned.files.command(tuned.router),
        use=lambda name: f"weight {config.source(name).weight:g}, {rows[name]:,} that compare both",
    )
