"""Train the causal_llm router: tune a causal LLM to rate the weak model's answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from ...checkpoints.store import CONFIG
from ...optional import require
from ...progress import SILENT, Progress
from ...routers.causal_llm.prompt import (
    CLASSIFIER,
    LABELS,
    SYSTEM,
    RatingPrompt,
    RatingTexts,
    template_of,
)
from ...routers.causal_llm.router import CausalLLMRouter
from ...routers.transformer.pretrained import silenced
from ...routers.transformer.token_batches import padded
from ..finetune.base import attention, digests_of, find_base, load_base
from ..finetune.fit import Batch, Ints, Task, finetune, is_first_process
from ..finetune.recipe import loss_inputs, loss_of
from ..finetune.state import STATE
from ..finetune.targets import Targets, targets_of
from ..finetune.write import Tuned, tuned_on_pair, write
from ..outcomes.card import outcomes_card
from ..outcomes.items import learn_items
from ..outcomes.prepare import STRONG, WEAK
from ..shared.files import TrainingFiles
from ..shared.prepare import check_pair, split
from .config import CausalLLMConfig
from .outcomes import targets_of_items
from .scratch import new_model, next_token_task

_RATINGS = (0, 3, 4)
"""Which labels stand for: the strong model wins, tie, the weak model wins. The score,
``1 - P([[4]]) - P([[5]])``, is then P(strong wins), as with bert: how sure it is lies in the
probabilities, so the ratings between are not needed."""


def train_causal_llm(
    files: TrainingFiles,
    folder: Path,
    config: CausalLLMConfig,
    *,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Tune on all sources together and write the checkpoint.

    Without a model to start from (``base: null``), a small one is made: its tokenizer from the
    prompts to learn from, its weights first by telling the next token of the same.

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
        MissingExtraError: adapters are asked for and peft is not installed.
    """
    base = find_base(config) if config.base is not None else None
    lesson = _of_outcomes if config.learn == "outcomes" else _of_pair
    targets, learned, tuned = lesson(files, config, base, progress)
    if base is None:
        prompts = [tuned.prompts[row] for row in np.flatnonzero(learned).tolist()]
        model, tokenizer = _pretrained(prompts, folder, config, progress)
    else:
        model, tokenizer = load_base(
            transformers.AutoModelForCausalLM, base, config, new_head=False
        )
        _add_labels(model, tokenizer)
    labels = tokenizer.convert_tokens_to_ids(list(LABELS))
    task = _task(targets, model, _prompt(tokenizer, config), labels)
    if config.lora_rank is not None:
        model = _with_adapters(model, labels, config.lora_rank)
    progress.stage("Fine-tuning")
    trained = finetune(model, task, config, folder / STATE / "tune", progress)
    if not is_first_process():
        return {}
    progress.stage("Measuring on validation prompts")

    def save(draft: Path) -> None:
        _save(trained, tokenizer, _stored(base), draft, config)

    return write(tuned, folder, save, lambda draft: CausalLLMRouter.from_pretrained(str(draft)))


def _of_pair(
    files: TrainingFiles, config: CausalLLMConfig, base: Path | None, progress: Progress
) -> tuple[Targets, NDArray[np.bool_], Tuned]:
    """Return what one pair of models teaches, and which prompts may be learned from."""
    data = split(files, config, progress)
    check_pair(data, files, config, progress)
    targets = targets_of(data.comparisons.only(data.train), config)
    more = {"base_sha256": digests_of(base) if base else {}}
    named = config.named()
    tuned = tuned_on_pair("causal_llm", _what(named), files, named, data, targets, more)
    return targets, data.train, tuned


def _of_outcomes(
    files: TrainingFiles, config: CausalLLMConfig, base: Path | None, progress: Progress
) -> tuple[Targets, NDArray[np.bool_], Tuned]:
    """Return what the outcomes of many models teach of the default pair, and the same."""
    items = learn_items(files, config, progress)
    targets = targets_of_items(items, config)
    more = {"base_sha256": digests_of(base) if base else {}}
    named, prepared = config.named(), items.prepared
    tuned = Tuned(
        "causal_llm",
        named.model_copy(update={"strong_model": STRONG, "weak_model": WEAK}),
        prepared.data.prompts,
        prepared.validation,
        prepared.usual,
        lambda rates: {**items.metrics("causal_llm", rates), **more},
        lambda metrics: outcomes_card("causal_llm", _what(named), named, metrics, files),
    )
    return targets, prepared.learned, tuned


def _pretrained(
    prompts: Sequence[str], folder: Path, config: CausalLLMConfig, progress: Progress
) -> tuple[Any, Any]:
    """Return a model from scratch that knows the language of the prompts, and its tokenizer."""
    progress.stage("Making a tokenizer")
    prompts = sorted({*prompts})
    model, tokenizer = new_model(prompts, config)
    _add_labels(model, tokenizer)
    prompt = _prompt(tokenizer, config)
    progress.stage("Pretraining")
    first = config.model_copy(
        update={"epochs": config.pretrain_epochs, "learning_rate": config.pretrain_learning_rate}
    )
    task = next_token_task([prompt.ids(text) for text in prompts])
    trained = finetune(model, task, first, folder / STATE / "pretrain", progress)
    with silenced(transformers):
        model = type(model).from_pretrained(
            trained, dtype="float32", attn_implementation=attention(), local_files_only=True
        )
    return model, tokenizer


def _prompt(tokenizer: Any, config: CausalLLMConfig) -> RatingPrompt:
    return RatingPrompt(
        RatingTexts(config.system, config.classifier),
        tokenizer.backend_tokenizer,
        config.max_length,
        template_of(tokenizer),
    )


def _add_labels(model: Any, tokenizer: Any) -> None:
    tokenizer.add_tokens(list(LABELS), special_tokens=True)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        with silenced(transformers):
            model.resize_token_embeddings(len(tokenizer))


def _with_adapters(model: Any, labels: list[int], rank: int) -> Any:
    """Return the model with adapters on its matrices, and rows of its labels, to be learned."""
    peft = require("peft", "train", "learning adapters")
    head = model.get_output_embeddings()
    name = next(name for name, module in model.named_modules() if module is head)
    tied = head.weight is model.get_input_embeddings().weight
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=2 * rank,
        target_modules="all-linear",
        trainable_token_indices=labels if tied else {name: labels},
    )
    with silenced(transformers):
        adapted = peft.get_peft_model(model, config)
    # Else each state would look for the base, and hold all embeddings since there are more now.
    adapted.peft_config["default"].base_model_name_or_path = ""
    return adapted


def _task(targets: Targets, model: Any, prompt: RatingPrompt, labels: list[int]) -> Task:
    tokens = [prompt.ids(text) for text in targets.prompts]
    ratings = [labels[rating] for rating in _RATINGS]
    inputs = loss_inputs(targets)
    takes_places = "logits_to_keep" in inspect.signature(model.forward).parameters

    def collate(rows: Ints) -> Batch:
        # What stands after a prompt changes nothing before it, so padding needs no mask.
        return {
            "input_ids": torch.from_numpy(padded([tokens[i] for i in rows], labels[0])),
            "last": torch.tensor([len(tokens[i]) - 1 for i in rows]),
            **{name: values[rows] for name, values in inputs.items()},
        }

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        given: dict[str, Any] = {"input_ids": batch["input_ids"], "use_cache": False}
        place = batch["last"]
        if takes_places:
            given["logits_to_keep"], place = torch.unique(place, return_inverse=True)
        logits = model(**given).logits
        at_label = logits[torch.arange(len(place), device=place.device), place].float()
        log_probabilities = torch.log_softmax(at_label, dim=-1)[:, ratings]
        return loss_of(log_probabilities, batch)

    return Task(tokens, collate, loss, [values.numpy() for values in inputs.values()])


def _save(trained: Path, tokenizer: Any, dtype: str, draft: Path, config: CausalLLMConfig) -> None:
    load = transformers.AutoModelForCausalLM.from_pretrained
    with silenced(transformers):
        load(trained, dtype=dtype, local_files_only=True).save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    (draft / SYSTEM).write_text(config.system, encoding="utf-8")
    (draft / CLASSIFIER).write_text(config.classifier, encoding="utf-8")


def _stored(base: Path | None) -> str:
    """Return the type of numbers to store: bfloat16 where the base has it, whose range is wider."""
    if base is None:
        return "float16"
    described = json.loads((base / CONFIG).read_text(encoding="utf-8"))
    given = described.get("dtype") or described.get("torch_dtype")
    return "bfloat16" if given == "bfloat16" else "float16"


def _what(config: CausalLLMConfig) -> str:
    scratch = (
        f"a model of Llama's architecture ({config.layers} layers of {config.hidden_size}),\n"
        "trained from nothing on the prompts below"
    )
    base = f"`{config.base}`" if config.base else scratch
    how = f"with adapters of rank {config.lora_rank} " if config.lora_rank else ""
    return f"{base}, tuned {how}to rate the\nanswer of the weak model to a prompt"
