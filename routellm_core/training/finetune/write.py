"""Turn fine-tuned weights into a checkpoint, with metrics and model card."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import CARD, DESCRIPTION, WEIGHTS
from ...contracts import Router
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
    config: FinetuneTrainingConfig
    prompts: Sequence[str]
    """All, n of them."""
    validation: NDArray[np.bool_]
    """Which are held out, shape (n,)."""
    usual: NDArray[np.int64]
    """Numbers of those whose scores give the quantiles."""
    measure: Callable[[NDArray[np.float64]], dict[str, Any]]
    """Gives what metrics.json holds, from the win rates of the prompts held out, shape (n,), NaN
    elsewhere."""
    card: Callable[[dict[str, Any]], str]
    """Gives the model card, from the same."""


def tuned_on_pair(
    router: str,
    what: str,
    files: TrainingFiles,
    config: FinetuneTrainingConfig,
    data: Split,
    targets: Targets,
    more: Mapping[str, Any],
) -> Tuned:
    """Return a router that was tuned on one pair of models.

    Args:
        router: its name.
        what: what it does with a prompt, the end of the card's first sentence.
        files: what it learned from.
        config: how.
        data: what stands in the files.
        targets: what was learned of it.
        more: further entries of metrics.json.
    """

    def measure(win_rates: NDArray[np.float64]) -> dict[str, Any]:
        validated = data.validate(router, lambda rows: win_rates[rows])
        return {"sources": data.sources(), **validated, **more}

    def use(name: str) -> str:
        weight = config.source(name).weight
        return f"weight {weight:g}, {targets.rows[name]:,} that compare both"

    def own_card(metrics: dict[str, Any]) -> str:
        command = files.command(router)
        return card(router, what, config, metrics, data.comparisons, command, use=use)

    prompts = data.comparisons.prompts
    return Tuned(router, config, prompts, data.validation, data.usual, measure, own_card)


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
    router = load(draft)
    held_out = np.flatnonzero(tuned.validation).tolist()
    win_rates = np.full(len(tuned.validation), np.nan)
    win_rates[held_out] = router.score([tuned.prompts[i] for i in held_out])
    metrics = tuned.measure(win_rates)
    quantiles = np.quantile(win_rates[tuned.usual], np.linspace(0, 1, _QUANTILES))
    _describe(tuned, draft, quantiles.tolist())
    (draft / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    (draft / CARD).write_text(tuned.card(metrics), encoding="utf-8", errors="replace")
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
