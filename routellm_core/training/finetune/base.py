"""The model that a fine-tuning starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from ...checkpoints.store import BUNDLED, find_checkpoint
from ...data.digests import file_sha256
from ...errors import CheckpointError, ConfigError
from ...routers.transformer.pretrained import check_files, silenced
from .config import FinetuneConfig


def find_base(config: FinetuneConfig) -> Path:
    """Return the folder of the model to start from; only a Hugging Face id is fetched.

    Raises:
        ConfigError: none is given.
        CheckpointError: there is no such folder, or it holds no safetensors.
    """
    base = config.base
    if base is None:
        raise ConfigError(
            "'base' is not set: give the model to start from, a folder or a Hugging Face id, "
            "in the configuration or as --set base=..."
        )
    folder = Path(base).expanduser()
    a_folder = folder.is_dir() or (BUNDLED / base).is_dir()
    a_path = folder.is_absolute() or base.startswith((".", "~")) or base.count("/") != 1
    if a_path and not a_folder:
        raise CheckpointError(
            f"no model '{base}' to start from: give a folder that exists, "
            "or a Hugging Face id, owner/name"
        )
    folder = find_checkpoint(base)
    check_files(folder)
    return folder


def load_base(
    auto: Any, folder: Path, config: FinetuneConfig, *, new_head: bool, **settings: Any
) -> tuple[Any, Any]:
    """Return model and tokenizer, all in float32.

    Args:
        auto: a class of transformers such as ``AutoModelForCausalLM``.
        folder: what ``find_base`` gave.
        config: hyper-parameters.
        new_head: whether what lies above the layers is drawn from the seed, if it is not there or
            of another size.
        settings: of the model's configuration.

    Raises:
        CheckpointError: transformers cannot load it, or weights are missing.
        ConfigError: it cannot read prompts as long as configured.
    """
    try:
        with silenced(transformers):
            described = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
            for name, value in described.to_dict().items():
                if "dropout" in name and isinstance(value, (int, float)):
                    settings[name] = config.dropout
            transformers.set_seed(config.seed)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model, loaded = auto.from_pretrained(
                folder,
                output_loading_info=True,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=new_head,
                dtype="float32",
                attn_implementation=attention(),
                **settings,
            )
    except Exception as error:  # transformers raises of every kind
        raise CheckpointError(
            f"{folder} cannot be loaded ({type(error).__name__}: {error}): give the folder of a "
            "model with its tokenizer, as transformers' save_pretrained writes them"
        ) from error
    body = f"{model.base_model_prefix}." if new_head else ""
    of_other_sizes = [name for name, *_ in loaded["mismatched_keys"]]
    missing = sorted(
        name
        for name in [*loaded["missing_keys"], *of_other_sizes]
        if name.startswith(body) and not (new_head and "pooler" in name)
    )
    if missing:
        raise CheckpointError(
            f"{folder} has no weights for {missing[0]} and {len(missing) - 1} more: "
            "give the folder of a whole model"
        )
    reads = getattr(model.config, "max_position_embeddings", config.max_length)
    if config.max_length > reads:
        raise ConfigError(
            f"'max_length' is {config.max_length}: {folder} reads at most {reads} tokens"
        )
    return model, tokenizer


def digests_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of weights in a folder, by name."""
    return {path.name: file_sha256(path) for path in sorted(folder.glob("*.safetensors"))}


def attention() -> str:
    """Return the way to compute attention that learns fastest on this machine."""
    return "sdpa" if torch.cuda.is_available() else "eager"
