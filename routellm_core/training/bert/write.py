"""Turn a trained network into a checkpoint, with metrics and model card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ...checkpoints.store import CARD, CONFIG
from ...routers.bert.onnx import MODEL, BERTOutcomesRouter
from ...routers.embedding_checkpoint import OUTCOMES
from ...routers.transformer.pretrained import TOKENIZER
from ..finetune.base import digests_of
from ..finetune.state import STATE
from ..outcomes.card import outcomes_card
from ..outcomes.items import Items
from ..outcomes.prepare import STRONG, WEAK
from ..shared.card import METRICS
from ..shared.files import TrainingFiles
from .config import BERTConfig
from .export import int8_model
from .network import LENGTH, ItemNetwork
from .targets import Targets

_WHAT = """`{base}` fine-tuned on
the outcomes of many models to tell a prompt's difficulty and by how much abler models do better on
it than on others (its contrast), {layers} layers, int8, scored by ONNX Runtime"""


def write_outcomes(
    network: ItemNetwork,
    tokenizer: Any,
    base: Path,
    targets: Targets,
    items: Items,
    config: BERTConfig,
    files: TrainingFiles,
    folder: Path,
) -> dict[str, Any]:
    """Measure the router on validation prompts and write its checkpoint; states are removed.

    Args:
        network: trained.
        tokenizer: of transformers.
        base: what the training started from.
        targets: what was learned.
        items: what linear functions learned of the same outcomes.
        config: how it was trained.
        files: what it was trained on.
        folder: for the checkpoint.

    Returns:
        What metrics.json holds.
    """
    prepared, abilities = items.prepared, items.abilities
    model = _model(network, targets)
    draft = folder / STATE / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / MODEL).write_bytes(model)
    (draft / TOKENIZER).write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    described = {
        "router": "bert",
        "link": OUTCOMES,
        "strong_model": STRONG,
        "weak_model": WEAK,
        "max_length": config.max_length,
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "models": list(abilities),
        "abilities": [round(ability, 4) for ability in abilities.values()],
        "traffic": [],
        "training": config.named().model_dump(exclude={"notes"}),
    }
    _write_json(draft / CONFIG, described)
    router = BERTOutcomesRouter.from_pretrained(draft)
    held_out = np.flatnonzero(prepared.validation)
    told = np.full((len(prepared.validation), 2), np.nan)
    told[held_out] = router.tell([prepared.data.prompts[row] for row in held_out])
    rates = items.rates(told[:, 0], told[:, 1])
    described["traffic"] = [[round(float(x), 4) for x in row] for row in told[prepared.usual]]
    metrics = {**items.metrics("bert", rates), "base_sha256": digests_of(base)}
    _write_json(draft / CONFIG, described)
    _write_json(draft / METRICS, metrics)
    named = config.named()
    what = _WHAT.format(base=named.base, layers=network.encoder.config.num_hidden_layers)
    card = outcomes_card("bert", what, named, metrics, files)
    (draft / CARD).write_text(card, encoding="utf-8", errors="replace")
    # The configuration last: without it, it is no checkpoint.
    for path in sorted(draft.iterdir(), key=lambda path: path.name == CONFIG):
        os.replace(path, folder / path.name)
    shutil.rmtree(folder / STATE)
    return metrics


def _model(network: ItemNetwork, targets: Targets) -> bytes:
    weights = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    # Difficulty in logits, of a vector of length 1.
    units = np.array([targets.spread, 1.0])
    head = weights["head.weight"] * LENGTH * units[:, None]
    bias = weights["head.bias"] * units + np.array([targets.center, 0.0])
    return int8_model(weights, network.encoder.config.num_attention_heads, head, bias)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
