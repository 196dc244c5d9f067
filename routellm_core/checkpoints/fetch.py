"""Fetch checkpoints from the Hugging Face hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..errors import CheckpointError

DIGEST = "weights_sha256"
"""Key in config.json of a checkpoint from a hub: what its weights must be."""


def download(hub_id: str, patterns: list[str], known: list[str]) -> Path:
    """Return the folder that files of a repository were fetched to, whole or from the cache.

    Args:
        hub_id: ``owner/name``, or ``owner/name@revision`` for a branch, tag or commit.
        patterns: of the files.
        known: names of the bundled checkpoints, for the message.

    Raises:
        CheckpointError: they could not be fetched.
    """
    # Imported on first use, because it takes long. It comes with tokenizers.
    from huggingface_hub import snapshot_download

    name, _, revision = hub_id.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except Exception as error:
        first, *_ = [*str(error).splitlines(), ""]
        raise CheckpointError(
            f"'{hub_id}' could not be fetched from the hub, and is not a folder here "
            f"({type(error).__name__}: {first}); bundled: {', '.join(known)}"
        ) from error


def check_digest(config_path: Path, weights: Path) -> None:
    """Check weights whose config says what they must be.

    Raises:
        CheckpointError: they are others.
    """
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
        wanted = config.get(DIGEST) if isinstance(config, dict) else None
        if wanted is None:
            return
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except (OSError, ValueError):  # what reads them says what is wrong
        return
    if found != wanted:
        raise CheckpointError(
            f"{weights} is not what {config_path.name} says (SHA-256 {found[:12]}..., and not "
            f"{str(wanted)[:12]}...): fetch it again, or push it again with `routellm push`"
        )
