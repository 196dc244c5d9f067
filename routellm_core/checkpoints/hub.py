"""Put checkpoints on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .fetch import DIGEST
from .store import CARD, CONFIG, PATTERNS, WEIGHTS, load_checkpoint

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
    from huggingface_hub.errors import LocalTokenNotFoundError

    if hub_id.count("/") != 1 or "@" in hub_id:
        raise ConfigError(f"'{hub_id}' is not a repository: write owner/name")
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
        # Without a status, no answer came: no network, or HF_HUB_OFFLINE is set.
        answered = getattr(error, "response", None) is not None
        remedy = (
            "set HF_TOKEN to a token that may write there"
            if answered or isinstance(error, LocalTokenNotFoundError)
            else "it was not reached, so check the network, HF_ENDPOINT and HF_HUB_OFFLINE"
        )
        raise ConfigError(
            f"the hub did not take '{hub_id}' ({type(error).__name__}: {_short(error)}): {remedy}"
        ) from error
    return f"{hub_id}@{done.oid}"


def _card(folder: Path, digest: str) -> str:
    path = folder / CARD
    text = path.read_text(encoding="utf-8") if path.is_file() else f"# {folder.name}\n"
    head = "" if text.startswith("---") else _HEAD
    return f"{head}{text.rstrip()}\n\nSHA-256 of `{WEIGHTS}`: `{digest}`.\n"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
