"""Fetch checkpoints from the Hugging Face hub, and put them there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ConfigError
from .store import CARD, CONFIG, PATTERNS, WEIGHTS, bundled_names, load_checkpoint

DIGEST = "weights_sha256"
"""Key in config.json of a checkpoint from a hub: what its weights must be."""

_HEAD = "---\nlibrary_name: routellm-plugins\ntags: [llm-routing]\n---\n\n"
"""What the hub reads of a card."""


def push_to_hub(folder: Path, hub_id: str, *, public: bool = False) -> str:
    """Put a checkpoint on the hub: weights, config with their digest, card, and the JSON files
    beside them, such as the calibration.

    Args:
        folder: of the checkpoint.
        hub_id: ``owner/name`` of a repository, which is made if there is none.
        public: whether everyone may read it. A checkpoint that `routellm adapt` wrote holds
            features of the labelled prompts, from which something of their words can be told.

    Returns:
        The id with its revision, ``owner/name@commit``, by which exactly this is loaded.

    Raises:
        CheckpointError: the folder holds no checkpoint.
        ConfigError: the hub refuses it, or the repository is public and ``public`` is False.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    if hub_id.count("/") != 1 or "@" in hub_id:
        raise ConfigError(f"'{hub_id}' is no repository: write owner/name")
    _, config = load_checkpoint(folder)
    weights = (folder / WEIGHTS).read_bytes()
    files: dict[str, bytes] = {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if any(path.match(pattern) for pattern in PATTERNS)
    }
    digest = hashlib.sha256(weights).hexdigest()
    files[CONFIG] = (json.dumps({**config, DIGEST: digest}, indent=1) + "\n").encode()
    files[CARD] = _card(folder, digest).encode()
    hub = HfApi()
    try:
        hub.create_repo(hub_id, private=not public, exist_ok=True)
        if not public and not hub.model_info(hub_id).private:
            raise ConfigError(
                f"'{hub_id}' is public: say so with --public, or name a repository that is private"
            )
        operations: list[Any] = [CommitOperationAdd(name, data) for name, data in files.items()]
        done = hub.create_commit(hub_id, operations, commit_message=f"Router of {folder.name}")
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"the hub did not take '{hub_id}' ({type(error).__name__}: {_short(error)}): set "
            "HF_TOKEN to a token that may write there"
        ) from error
    return f"{hub_id}@{done.oid}"


def download(hub_id: str, patterns: list[str]) -> Path:
    """Return the folder that files of a repository were fetched to, whole or from the cache.

    Args:
        hub_id: ``owner/name``, or ``owner/name@revision`` for a branch, tag or commit.
        patterns: of the files.

    Raises:
        CheckpointError: they could not be fetched.
    """
    # Imported on first use, because it takes long. It comes with tokenizers.
    from huggingface_hub import snapshot_download

    name, _, revision = hub_id.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except Exception as error:
        raise CheckpointError(
            f"'{hub_id}' could not be fetched from the hub "
            f"({type(error).__name__}: {error}); bundled: {', '.join(bundled_names())}"
        ) from error


def check_digest(folder: Path) -> None:
    """Check the weights of a folder whose config says what they must be.

    Raises:
        CheckpointError: they are others.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        wanted = config.get(DIGEST) if isinstance(config, dict) else None
        if wanted is None:
            return
        found = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    except (OSError, ValueError):  # what reads them says what is wrong
        return
    if found != wanted:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not what {CONFIG} says (SHA-256 {found[:12]}..., and not "
            f"{str(wanted)[:12]}...): fetch it again, or push it again with `routellm push`"
        )


def _card(folder: Path, digest: str) -> str:
    path = folder / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else f"# {folder.name}\n"
    head = "" if text.startswith("---") else _HEAD
    return f"{head}{text.rstrip()}\n\nSHA-256 of `{WEIGHTS}`: `{digest}`.\n"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
