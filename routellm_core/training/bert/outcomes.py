"""Train bert on the outcomes of every model that was measured.

All layers are fine-tuned on the difficulty and the contrast of prompts; then, where
``kept_layers`` names some, those learn again, from the same targets and from what all layers say
(Hinton et al., arXiv 1503.02531).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ...checkpoints.store import CONFIG
from ...errors import ConfigError
from ...progress import Progress
from ...routers.transformer.token_batches import batches, padded
from ..finetune.base import find_base, load_base
from ..finetune.fit import Batch, Ints, Task, finetune, is_first_process
from ..finetune.state import STATE
from ..outcomes.items import learn_items
from ..shared.files import TrainingFiles
from .config import BERTConfig
from .network import ItemNetwork
from .targets import Targets, targets_of
from .tokens import tokens_of
from .write import write_outcomes

_OUTPUTS = "outputs.npy"

Floats32 = NDArray[np.float32]


def train_on_outcomes(
    files: TrainingFiles, folder: Path, config: BERTConfig, progress: Progress
) -> dict[str, Any]:
    """Train, and write the checkpoint with its metrics and model card.

    Args:
        files: what to learn from. Of battles only prompts are used, as usual traffic.
        folder: for the checkpoint. A run that was interrupted goes on from its state here.
        config: how.
        progress: receives each stage, and each step with its loss.

    Returns:
        What metrics.json holds; empty on all but the first of several processes.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data or the base, or ``folder`` holds
            another run.
        CheckpointError: the model to start from is missing or damaged.
    """
    base = find_base(config)
    _check_kind(base)
    encoder, tokenizer = load_base(
        transformers.AutoModel, base, config, new_head=False, add_pooling_layer=False
    )
    network = ItemNetwork(encoder)
    network.check_layers(config.kept_layers)
    items = learn_items(files, config, progress)
    targets = targets_of(items)
    tokens = tokens_of(tokenizer, targets.prompts, config.max_length)
    progress.stage("Fine-tuning")
    states = folder / STATE
    task = _task(tokens, targets)
    network.restore(finetune(network, task, config, states / "tune", progress))
    if config.kept_layers:
        progress.stage("Fine-tuning the kept layers")
        taught = _outputs(network, tokens, states / _OUTPUTS)
        network.keep(config.kept_layers)
        shorter = config.model_copy(update={"epochs": config.kept_epochs})
        task = _task(tokens, targets, taught)
        network.restore(finetune(network, task, shorter, states / "keep", progress))
    if not is_first_process():
        return {}
    progress.stage("Measuring on validation prompts")
    return write_outcomes(network, tokenizer, base, targets, items, config, files, folder)


def _check_kind(base: Path) -> None:
    kind = json.loads((base / CONFIG).read_text(encoding="utf-8"))
    if (kind.get("model_type"), kind.get("hidden_act")) != ("bert", "gelu"):
        raise ConfigError(
            f"{base} is a '{kind.get('model_type')}' with '{kind.get('hidden_act')}': learning "
            "outcomes needs a BERT with gelu, such as all-MiniLM-L6-v2"
        )


def _task(tokens: list[list[int]], targets: Targets, taught: Floats32 | None = None) -> Task:
    """Return the task: squared errors to the targets, by their weights, and to what is taught."""
    values, weight = torch.from_numpy(targets.values), torch.from_numpy(targets.weight)
    lessons = None if taught is None else torch.from_numpy(taught)

    def collate(rows: Ints) -> Batch:
        batch = _padded([tokens[row] for row in rows])
        batch["values"], batch["weight"] = values[rows], weight[rows]
        if lessons is not None:
            batch["taught"] = lessons[rows]
        return batch

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        told = model(batch["input_ids"], batch["attention_mask"])
        error = (batch["weight"] * (told - batch["values"]).square()).sum(dim=1).mean()
        if lessons is not None:
            error = error + (told - batch["taught"]).square().sum(dim=1).mean()
        learned: torch.Tensor = error
        return learned

    arrays = [targets.values, targets.weight, *([taught] if taught is not None else [])]
    return Task(tokens, collate, loss, arrays)


def _padded(rows: list[list[int]]) -> Batch:
    return {
        "input_ids": torch.from_numpy(padded(rows, 0)),
        "attention_mask": torch.from_numpy(padded([[1] * len(row) for row in rows], 0)),
    }


def _outputs(network: ItemNetwork, tokens: list[list[int]], kept: Path) -> Floats32:
    """Return what the network says of each prompt, shape (n, 2); kept for a run that goes on."""
    if kept.is_file():
        return np.asarray(np.load(kept), np.float32)
    device = next(network.parameters()).device
    told = np.empty((len(tokens), 2), np.float32)
    network.eval()
    with torch.inference_mode():
        for rows in batches([len(row) for row in tokens]):
            batch = _padded([tokens[row] for row in rows])
            given = {name: values.to(device) for name, values in batch.items()}
            told[rows] = network(**given).float().cpu().numpy()
    if is_first_process():
        partial = kept.with_suffix(".partial.npy")
        np.save(partial, told)
        partial.replace(kept)
    return told
