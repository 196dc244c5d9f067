"""Models of transformers read from a folder, with an error that names what is wrong in it."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from ...checkpoints.store import CONFIG, DESCRIPTION, WEIGHTS, check_router, damaged
from ...errors import CheckpointError

TOKENIZER = "tokenizer.json"

_TOKENIZER_CONFIG = "tokenizer_config.json"

_SHARDS = f"{WEIGHTS}.index.json"

_NO_WEIGHTS = ("position_ids", "inv_freq")
"""Endings of the names of tensors that old checkpoints hold, but that are computed."""

_loading = threading.Lock()
"""Loading sets state of the whole process, such as torch's default type."""


@dataclass(frozen=True)
class Description:
    """What ``routellm.json`` says. The original release has no such file, so nothing is known."""

    max_length: int | None = None
    """In tokens."""
    score_quantiles: NDArray[np.float64] | None = None
    """As ``Router.score_quantiles``."""


def check_files(folder: Path) -> None:
    """Check that the files of a model are present and undamaged.

    Raises:
        CheckpointError: a file is missing or damaged; the message names it.
    """
    for name in (CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name} is missing: give the folder of a whole model, as transformers' "
                "save_pretrained writes it"
            )
        _read_object(folder / name)
    weights = [folder / WEIGHTS]
    if not weights[0].is_file() and (folder / _SHARDS).is_file():
        shards = _read_object(folder / _SHARDS).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise damaged(folder / _SHARDS, "no weight_map")
        weights = [folder / name for name in sorted({str(name) for name in shards.values()})]
    for path in weights:
        if not path.is_file():
            raise CheckpointError(
                f"{path} is missing (pickled weights are not read): "
                "save the model with transformers' save_pretrained"
            )
        try:
            with safe_open(path, "numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise damaged(path, error) from error


def read_description(folder: Path, router: str) -> Description:
    """Return what ``routellm.json`` of a folder says.

    Args:
        folder: the checkpoint's folder.
        router: name of the router that reads it.

    Raises:
        CheckpointError: the file is damaged, or the checkpoint is for another router.
    """
    check_router(folder, router)
    path = folder / DESCRIPTION
    if not path.is_file():
        return Description()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        max_length = said["max_length"]
        quantiles = said["score_quantiles"]
        if not isinstance(max_length, int) or max_length < 1:
            raise ValueError(f"max_length is {max_length!r}")
        if quantiles is not None:
            quantiles = np.array(quantiles, np.float64)
            ascending = (np.diff(quantiles) >= 0).all()
            if quantiles.ndim != 1 or len(quantiles) < 2 or not ascending:
                raise ValueError("score_quantiles do not ascend")
            if not 0 <= quantiles[0] <= quantiles[-1] <= 1:
                raise ValueError("score_quantiles are not in [0, 1]")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {error}): restore it, or train again"
        ) from error
    return Description(max_length, quantiles)


def read_tokenizer(folder: Path, most: int) -> tuple[Tokenizer, int]:
    """Read a tokenizer without transformers; return it and how many tokens its model reads.

    Args:
        folder: the checkpoint's folder, in which the weights may be missing.
        most: upper limit of the number of tokens.

    Raises:
        CheckpointError: the tokenizer's file is missing or damaged.
    """
    path = folder / TOKENIZER
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        config = json.loads((folder / _TOKENIZER_CONFIG).read_text(encoding="utf-8"))
        length = min(config.get("model_max_length", most), most)
    except Exception as error:  # tokenizers raises nothing narrower
        raise CheckpointError(
            f"{path} or {_TOKENIZER_CONFIG} beside it cannot be read "
            f"({type(error).__name__}: {error}): restore them"
        ) from error
    return tokenizer, int(length)


def load_pretrained(
    folder: Path, auto: str, transformers: Any, *, keep: str | None = None, **settings: Any
) -> tuple[Any, Any]:
    """Load the model, in evaluation mode, and the tokenizer of a folder.

    Nothing is downloaded, no pickle is read and no code from the checkpoint is run.

    Args:
        folder: the checkpoint's folder.
        auto: name of a class of transformers, such as ``AutoModelForCausalLM``.
        transformers: the package.
        keep: a dtype, such as ``bfloat16``, that weights keep if they are stored in it; weights
            of any other dtype become float32.
        settings: settings that override the model's configuration.

    Raises:
        CheckpointError: a file is missing or damaged, weights and configuration do not match, or
            the tokenizer has tokens that the model does not know.
    """
    check_files(folder)
    try:
        with _loading, silenced(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, loaded = getattr(transformers, auto).from_pretrained(
                folder,
                output_loading_info=True,
                local_files_only=True,
                use_safetensors=True,
                dtype="auto",
                **settings,
            )
    except Exception as error:  # of every kind, by what is wrong and by transformers' version
        raise CheckpointError(
            f"{folder} cannot be read by transformers ({type(error).__name__}: {error}): "
            "restore the file that is named, or give the folder of a whole model"
        ) from error
    _check_weights(folder, model, loaded)
    if not tokenizer.is_fast:
        raise CheckpointError(
            f"{folder / TOKENIZER} cannot be read by the package tokenizers: save a fast tokenizer"
        )
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise CheckpointError(
            f"{folder / TOKENIZER} has {len(tokenizer)} tokens and the model of {folder / WEIGHTS} "
            f"knows {rows}: restore the two files that belong together"
        )
    if str(model.dtype) != f"torch.{keep}":
        model.float()
    return model.eval(), tokenizer


@contextmanager
def silenced(transformers: Any) -> Iterator[None]:
    """Suppress the progress bars, log messages and deprecation warnings of transformers.

    What is wrong with a model is raised as an error all the same.

    Args:
        transformers: the package.
    """
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def calls_at_once(torch: Any) -> int:
    """Return how many calls of a model are worth running at once.

    Torch runs each call on several threads of its own, so there is one call per that many cores,
    and at least two, so that a single call that hangs does not stop all scoring.
    """
    return max(2, (os.cpu_count() or 1) // int(torch.get_num_threads()))


def length_limit(tokenizer: Any, model: Any, most: int) -> int:
    """Return how many tokens are read if the checkpoint does not say.

    Args:
        tokenizer: a tokenizer of transformers.
        model: a model of transformers.
        most: upper limit of the number of tokens.
    """
    positions = getattr(model.config, "max_position_embeddings", None) or most
    return int(min(tokenizer.model_max_length, positions, most))


def checked_length(folder: Path, wanted: int | None, model: Any) -> int | None:
    """Return the length that a checkpoint asks for.

    Raises:
        CheckpointError: the model has fewer positions.
    """
    positions = getattr(model.config, "max_position_embeddings", None) or math.inf
    if wanted is not None and wanted > positions:
        raise CheckpointError(
            f"{folder / DESCRIPTION} says max_length {wanted}, but the model has {positions} "
            f"positions: restore {DESCRIPTION} and {CONFIG}"
        )
    return wanted


def fingerprint_of(model: Any, tokenizer: Any, settings: Mapping[str, object]) -> str:
    """Return a digest of weights, tokenizer and settings."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    digest.update(model.config.to_json_string().encode())
    torch = importlib.import_module("torch")
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().view(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read_object(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(read, dict):
        raise damaged(path, "not a JSON object")
    return read


def _check_weights(folder: Path, model: Any, loaded: Mapping[str, Any]) -> None:
    torch = importlib.import_module("torch")
    missing = sorted(loaded["missing_keys"])
    # transformers would draw them at random, and go on.
    if missing:
        raise CheckpointError(
            f"{folder / WEIGHTS} has no tensor '{missing[0]}'"
            + (f" and {len(missing) - 1} more" if missing[1:] else "")
            + f" that {CONFIG} asks for: restore the two files that belong together"
        )
    unknown = [name for name in sorted(loaded["unexpected_keys"]) if not _computed(name)]
    if unknown:
        raise CheckpointError(
            f"{folder / WEIGHTS} has a tensor '{unknown[0]}'"
            + (f" and {len(unknown) - 1} more" if unknown[1:] else "")
            + f" that {CONFIG} has no place for: restore the two files that belong together"
        )
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{folder / WEIGHTS} is damaged: '{name}' holds NaN or infinity: restore the file"
            )


def _computed(name: str) -> bool:
    return name.endswith(_NO_WEIGHTS)
