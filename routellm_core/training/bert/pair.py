"""Train bert on one pair of models: fine-tune an encoder to say strong, tie or weak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from ...progress import Progress
from ...routers.bert.classifier import OUTCOMES, BERTRouter
from ...routers.transformer.pretrained import silenced
from ...routers.transformer.token_batches import padded
from ..finetune.base import digests_of, find_base, load_base
from ..finetune.config import FinetuneTrainingConfig
from ..finetune.fit import Batch, Ints, Task, finetune, is_first_process
from ..finetune.recipe import loss_inputs, loss_of
from ..finetune.state import STATE
from ..finetune.targets import Targets, targets_of
from ..finetune.write import tuned_on_pair, write
from ..shared.files import TrainingFiles
from ..shared.prepare import check_pair, split
from .tokens import tokens_of


def train_on_pair(
    files: TrainingFiles,
    folder: Path,
    config: FinetuneTrainingConfig,
    progress: Progress,
) -> dict[str, Any]:
    """Fine-tune on all sources together and write the checkpoint.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card. A run that was interrupted
            continues from the state it left here.
        config: hyper-parameters and how each source is used.
        progress: receives each stage, and each step with its loss.

    Returns:
        What metrics.json holds; empty on all but the first of several processes.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or ``folder`` holds another run.
        CheckpointError: the model to start from is missing or damaged.
    """
    base = find_base(config)
    model, tokenizer = load_base(
        transformers.AutoModelForSequenceClassification,
        base,
        config,
        new_head=True,
        num_labels=len(OUTCOMES),
        id2label=dict(enumerate(OUTCOMES)),
        label2id={outcome: number for number, outcome in enumerate(OUTCOMES)},
    )
    data = split(files, config, progress)
    check_pair(data, files, config, progress)
    targets = targets_of(data.comparisons.only(data.train), config)
    progress.stage("Fine-tuning")
    trained = finetune(
        model, _task(targets, tokenizer, config), config, folder / STATE / "tune", progress
    )
    if not is_first_process():
        return {}
    progress.stage("Measuring on validation prompts")

    def save(draft: Path) -> None:
        load = transformers.AutoModelForSequenceClassification.from_pretrained
        with silenced(transformers):
            load(trained, dtype="float16", local_files_only=True).save_pretrained(draft)
            tokenizer.save_pretrained(draft)

    named = config.named()
    tuned = tuned_on_pair(
        "bert",
        f"`{named.base}`, fine-tuned to read a prompt and tell strong, tie or weak",
        files,
        named,
        data,
        targets,
        {"base_sha256": digests_of(base)},
    )
    return write(tuned, folder, save, lambda draft: BERTRouter.from_pretrained(str(draft)))


def _task(targets: Targets, tokenizer: Any, config: FinetuneTrainingConfig) -> Task:
    tokens = tokens_of(tokenizer, targets.prompts, config.max_length)
    inputs = loss_inputs(targets)

    def collate(rows: Ints) -> Batch:
        read = [tokens[i] for i in rows]
        return {
            "input_ids": torch.from_numpy(padded(read, tokenizer.pad_token_id or 0)),
            "attention_mask": torch.from_numpy(padded([[1] * len(row) for row in read], 0)),
            **{name: values[rows] for name, values in inputs.items()},
        }

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        read = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        log_probabilities = torch.log_softmax(read.logits.float(), dim=-1)
        return loss_of(log_probabilities, batch)

    return Task(tokens, collate, loss, [values.numpy() for values in inputs.values()])
