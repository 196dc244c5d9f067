"""Fit a transformer with transformers' Trainer, on one device or many.

Under ``accelerate launch`` every process runs this; the first one writes.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ...data.digests import digest_of
from ...progress import Progress
from ...routers.transformer.pretrained import silenced
from .config import FinetuneConfig
from .recipe import Average, parameter_groups
from .state import claim, last_state

Batch = dict[str, torch.Tensor]
Ints = NDArray[np.int64]

_TRAINED = "trained"
_SORTED_TOGETHER = 16


@dataclass(frozen=True)
class Task:
    """What is learned, from n rows."""

    tokens: Sequence[Sequence[int]]
    """Of each row."""
    collate: Callable[[Ints], Batch]
    """Makes a batch of the rows of these numbers."""
    loss: Callable[[Any, Batch], torch.Tensor]
    """Gives the mean loss of a model on a batch."""
    arrays: Sequence[NDArray[np.float32]] = ()
    """What else the loss depends on; another array makes it another run."""


def is_first_process() -> bool:
    """Return whether this is the process that writes, of those that train together."""
    return bool(accelerate.PartialState().is_main_process)


def finetune(
    model: Any, task: Task, config: FinetuneConfig, folder: Path, progress: Progress
) -> Path:
    """Minimise a loss by AdamW, over batches of rows of similar length.

    The learning rate rises over the first steps and then falls to 0, both along a line;
    gradients are clipped to norm 1. A run that was cut off goes on from its last state and ends
    with the weights that it would have had (on the same CPU; on a GPU as near as its sums come
    out alike).

    Args:
        model: to start from; it is changed.
        task: what it learns.
        config: hyper-parameters.
        folder: for states and the result. Where the result is there, nothing is done.
        progress: receives each step with its loss.

    Returns:
        The folder with the model, adapters merged.

    Raises:
        ConfigError: ``folder`` holds another run.
    """
    weights = (_bytes_of(tensor) for tensor in model.state_dict().values())
    tokens = (np.asarray(row, np.int64) for row in task.tokens)
    settings = config.model_dump_json(exclude={"notes"})
    claim(folder, digest_of([settings, *tokens, *task.arrays, *weights]), is_first_process())
    trained = folder / _TRAINED
    if not trained.is_dir():
        _fit(model, task, config, folder, progress, trained)
    return trained


def training_order(
    lengths: Sequence[int], batch_size: int, epochs: float, rng: np.random.Generator
) -> Ints:
    """Return which row comes when, so that rows of a batch are of similar length.

    Each pass is shuffled, cut into pieces of several batches, and each piece sorted by length
    and cut into batches, which are shuffled again. The last batch of a pass is filled up with
    rows of its first ones.

    Args:
        lengths: of the rows.
        batch_size: rows a step, on all devices together.
        epochs: passes over the rows.
        rng: shuffles.

    Returns:
        Shape (steps * batch_size,).
    """
    steps = math.ceil(len(lengths) / batch_size)
    piece = _SORTED_TOGETHER * batch_size
    batches: list[Ints] = []
    for _ in range(math.ceil(epochs)):
        rows = np.resize(rng.permutation(len(lengths)), steps * batch_size)
        pieces = [rows[start : start + piece] for start in range(0, len(rows), piece)]
        rows = np.concatenate([sorted(each, key=lengths.__getitem__) for each in pieces])
        batches.extend(rng.permutation(rows.reshape(steps, batch_size)))
    return np.concatenate(batches[: max(1, round(epochs * steps))])


class _Trainer(transformers.Trainer):
    def __init__(self, task: Task, config: FinetuneConfig, average: Average | None, **kw: Any):
        super().__init__(**kw)
        self._task, self._config, self._average = task, config, average

    def compute_loss(self, model: Any, inputs: Batch, *_: Any, **__: Any) -> torch.Tensor:
        return self._task.loss(model, inputs)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        learning: Any = self.model if model is None else model
        self.optimizer = torch.optim.AdamW(parameter_groups(learning, self._config))
        return self.optimizer

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        super().save_model(output_dir, _internal_call)
        # Here, and not in the callback of a save: by then the state before this one is gone.
        if self._average and _internal_call and self.is_world_process_zero():
            self._average.save(Path(str(output_dir)))

    def _get_train_sampler(self, *_: Any) -> Any:
        ordered: Any = self.train_dataset
        return torch.utils.data.SequentialSampler(ordered)


class _Callback(transformers.TrainerCallback):
    def __init__(self, progress: Progress, average: Average | None) -> None:
        self._progress, self._average = progress, average

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._average:
            self._average.update(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs and state.is_world_process_zero:
            self._progress.step(state.global_step, state.max_steps, f"loss {logs['loss']:.4f}")


def _fit(
    model: Any,
    task: Task,
    config: FinetuneConfig,
    folder: Path,
    progress: Progress,
    trained: Path,
) -> None:
    arguments = _arguments(config, folder)
    batch_size = arguments.train_batch_size * arguments.world_size
    lengths = [len(row) for row in task.tokens]
    rng = np.random.default_rng(config.seed)
    order = training_order(lengths, batch_size, config.epochs, rng)
    arguments.max_steps = len(order) // batch_size
    arguments.warmup_steps = math.ceil(config.warmup_share * arguments.max_steps)
    average = Average(model, config.average) if config.average else None
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()  # else nothing flows where the embeddings are fixed
    trainer = _Trainer(
        task,
        config,
        average,
        model=model,
        args=arguments,
        train_dataset=order,
        data_collator=lambda rows: task.collate(np.array(rows)),
        callbacks=[_Callback(progress, average)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    state = last_state(folder)
    if state and average:
        average.load(state)
    with silenced(transformers):
        trainer.train(resume_from_checkpoint=str(state) if state else None)
        if average:
            average.apply()
        _write(trainer, trained)


def _write(trainer: _Trainer, trained: Path) -> None:
    partial = trained.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        merged = model.merge_and_unload()
        if trainer.is_world_process_zero():
            merged.save_pretrained(partial)
    else:
        trainer.save_model(str(partial))
    if trainer.is_world_process_zero():
        os.replace(partial, trained)
    trainer.accelerator.wait_for_everyone()


def _arguments(config: FinetuneConfig, folder: Path) -> Any:
    on_gpu = torch.cuda.is_available()
    return transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        bf16=config.precision == "bf16",
        use_cpu=not on_gpu,
        seed=config.seed,
        logging_steps=1,
        save_strategy="steps",
        save_steps=config.save_every,
        save_total_limit=1,
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        disable_tqdm=True,
        report_to="none",
    )


def _bytes_of(tensor: torch.Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    return array
