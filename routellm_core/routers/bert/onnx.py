"""BERT trained on the outcomes of many models, scored by ONNX Runtime without torch.

The encoder estimates two numbers for each prompt, its difficulty and its contrast.
``item_response`` turns these and the abilities of two models into a win rate.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ...checkpoints.store import (
    CONFIG,
    Checkpoint,
    check_router,
    damaged,
    find_checkpoint,
    require_settings,
)
from ...contracts import Router
from ...errors import CheckpointError, ScoringError
from ...optional import require
from ...prompt.excerpt import both_ends, readable
from ...rules.share import quantiles_of
from ..abilities import pair_abilities
from ..item_response import win_rates
from ..transformer.pretrained import TOKENIZER

MODEL = "model.onnx"
"""The encoder with both heads: ``token_ids`` (int64, shape (tokens,)) gives ``told`` (float32,
shape (2,)), difficulty and contrast. Standard operators, no external data."""

Floats = NDArray[np.float64]

_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "models": list,
    "abilities": list,
    "strong_model": str,
    "weak_model": str,
    "max_length": int,
    "traffic": list,
    "model_sha256": str,
}
_THREADS = 2


class BERTOutcomesRouter(Router):
    """Win rates of any two models from a prompt's difficulty and contrast.

    Of a prompt of more tokens than the checkpoint says, the first and the last are read; of more
    than 16,384 characters, the beginning and the end are tokenised, with lone surrogates replaced
    by ``?``. Each prompt is computed separately, so that its score does not depend on the batch.
    Thread-safe.

    Args:
        session: an onnxruntime session with the inputs and outputs that ``MODEL`` describes.
        tokenizer: does not truncate.
        tokens: how many tokens of a prompt the model reads.
        abilities: abilities of the strong and the weak model, in logits.
        traffic: difficulty and contrast of a sample of usual traffic, shape (n, 2).
        digest: identifies the model and its tokenizer.
    """

    def __init__(
        self,
        session: Any,
        tokenizer: Tokenizer,
        tokens: int,
        abilities: tuple[float, float],
        traffic: Floats,
        digest: str,
    ) -> None:
        self.concurrency = max(2, (os.cpu_count() or 1) // _THREADS)
        self._session = session
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._abilities = abilities
        self._digest = digest
        self._score_quantiles = quantiles_of(_rates(traffic, *abilities)) if len(traffic) else None

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: Checkpoint = "bert",
        *,
        models: tuple[str | None, str | None] = (None, None),
        abilities: tuple[float | None, float | None] = (None, None),
    ) -> BERTOutcomesRouter:
        """Load a checkpoint of ``routellm train bert`` with ``learn: outcomes``.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            models: names of the strong and the weak model; None for the checkpoint's defaults.
            abilities: abilities of the two in logits, instead of their names.

        Raises:
            CheckpointError: the checkpoint is missing or damaged.
            ConfigError: a model is unknown, or the strong model's ability is not the higher one.
            MissingExtraError: onnxruntime is not installed.
        """
        runtime = require("onnxruntime", "bert", "the router 'bert'")
        folder = find_checkpoint(checkpoint)
        check_router(folder, "bert")
        config = _read_config(folder)
        known = np.array(config["abilities"], np.float64)
        default = config["strong_model"], config["weak_model"]
        pair = pair_abilities(config["models"], known, default, models, abilities)
        model = _read(folder / MODEL)
        if hashlib.sha256(model).hexdigest() != config["model_sha256"]:
            raise damaged(folder / MODEL, f"its SHA-256 is not the one in {CONFIG}")
        vocabulary = _read(folder / TOKENIZER)
        tokenizer = _tokenizer(folder / TOKENIZER, vocabulary)
        most = config["max_length"]
        traffic = np.array(config["traffic"], np.float64).reshape(-1, 2)
        digest = hashlib.sha256(model + vocabulary + str(most).encode())
        session = _session(runtime, folder / MODEL, model)
        return cls(session, tokenizer, most, pair, traffic, digest.hexdigest())

    def score(self, prompts: Sequence[str]) -> Floats:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ScoringError: the model gives NaN or infinity.
        """
        return _rates(self.tell(prompts), *self._abilities)

    def tell(self, prompts: Sequence[str]) -> Floats:
        """Return difficulty and contrast of each prompt: shape (n, 2).

        Raises:
            ScoringError: the model gives NaN or infinity.
        """
        told = np.empty((len(prompts), 2))
        for row, prompt in enumerate(prompts):
            # Some tokenizers give no token for an empty text, and a model needs one.
            ids = both_ends(self._tokenizer.encode(readable(prompt)).ids, self._tokens) or [0]
            told[row] = self._session.run(None, {"token_ids": np.array(ids, np.int64)})[0]
        if not np.isfinite(told).all():
            raise ScoringError(
                "the model of router 'bert' gives NaN or infinity: restore its weights"
            )
        return told

    @property
    def score_quantiles(self) -> Floats | None:
        """Quantiles of the scores over the checkpoint's sample of usual traffic."""
        return self._score_quantiles

    @property
    def fingerprint(self) -> str:
        """Digest of model, tokenizer and length, with the abilities of the two models."""
        strong, weak = self._abilities
        return f"bert:{self._digest}:{strong:.6g}:{weak:.6g}"


def _rates(told: Floats, strong: float, weak: float) -> Floats:
    difficulty, contrast = told.T
    return win_rates(strong - difficulty, weak - difficulty, contrast)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}): restore the checkpoint, or train it again"
        ) from error


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads(_read(folder / CONFIG))
    except ValueError as error:
        raise damaged(folder / CONFIG, error) from error
    if not isinstance(config, dict):
        raise damaged(folder / CONFIG, "not a JSON object")
    require_settings(folder, config, _SETTINGS)
    try:
        traffic = np.array(config["traffic"], np.float64).reshape(-1, 2)
        abilities = np.array(config["abilities"], np.float64)
    except (TypeError, ValueError) as error:
        raise damaged(folder / CONFIG, error) from error
    if not np.isfinite(traffic).all() or not np.isfinite(abilities).all():
        raise damaged(folder / CONFIG, "a number is missing")
    if abilities.shape != (len(config["models"]),) or config["max_length"] < 3:
        raise damaged(folder / CONFIG, "its lists do not fit each other")
    return config


def _tokenizer(path: Path, content: bytes) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # tokenizers raises nothing narrower
        raise damaged(path, error) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _session(runtime: Any, path: Path, model: bytes) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = min(_THREADS, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The arena would keep the longest prompt's memory for ever.
    options.enable_cpu_mem_arena = False
    # A thread that waits in a loop takes its core from the application.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # From bytes, so that a model cannot have other files read.
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class per status, none of them documented
        raise damaged(path, error) from error
    takes = [given.name for given in session.get_inputs()]
    if takes != ["token_ids"] or [given.shape for given in session.get_outputs()] != [[2]]:
        raise CheckpointError(
            f"{path} takes {takes}: give a checkpoint of `routellm train bert` with learn: outcomes"
        )
    return session
