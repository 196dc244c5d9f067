"""Find, read and write checkpoints: a folder with model.safetensors, config.json, README.md."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import CheckpointError, did_you_mean
from .fetch import check_digest, download

BUNDLED = Path(__file__).parent / "bundled"
"""Where the checkpoints that ship with the package live, a folder each."""

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
DESCRIPTION = "routellm.json"
"""What ``routellm train`` writes beside transformers' own files."""

_SMALL_PATTERNS = ["*.json", "*.txt", "*.jinja"]
PATTERNS = [*_SMALL_PATTERNS, "*.safetensors", "*.jsonl", "*.npy"]
"""What is fetched from a hub."""

PARTIAL = ".partial"

Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, time of change, size and inode."""

Tensors = dict[str, NDArray[Any]]

Checkpoint = str | os.PathLike[str]
"""How a user names a checkpoint: a bundled name, a folder (a path object is always one), or a
Hugging Face id ``owner/name`` or, of a revision, ``owner/name@revision``."""


def bundled_names() -> list[str]:
    """Return the names of the checkpoints that ship with the package, sorted."""
    return sorted(path.name for path in BUNDLED.iterdir() if (path / CONFIG).is_file())


def find_checkpoint(checkpoint: Checkpoint, *, weights: bool = True) -> Path:
    """Return the folder of a checkpoint. Only a Hugging Face id touches the network.

    Args:
        checkpoint: its name, folder or id.
        weights: whether to fetch the weights, too, of a Hugging Face id.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    if not isinstance(checkpoint, (str, os.PathLike)) or not os.fsdecode(checkpoint).strip():
        raise CheckpointError(
            f"checkpoint is {checkpoint!r}: give a folder, a Hugging Face id, or one of "
            f"{', '.join(bundled_names())}"
        )
    folder = local_folder(checkpoint)
    if folder is not None:
        return folder
    name = os.fsdecode(checkpoint)
    may_be_hub_id = isinstance(checkpoint, str) and not name.startswith((".", "~"))
    if not may_be_hub_id or Path(name).is_absolute() or name.count("/") != 1:
        raise CheckpointError(
            f"no checkpoint '{name}': it is neither a folder nor bundled; "
            f"{did_you_mean(name, bundled_names())}"
        )
    fetched = download(name, PATTERNS if weights else _SMALL_PATTERNS, bundled_names())
    check_digest(fetched / CONFIG, fetched / WEIGHTS)
    return fetched


def local_folder(checkpoint: Checkpoint) -> Path | None:
    """Return the absolute path of a checkpoint's folder; None if there is none on this machine."""
    if isinstance(checkpoint, str) and (BUNDLED / checkpoint / CONFIG).is_file():
        return BUNDLED / checkpoint
    folder = Path(os.path.abspath(os.path.expanduser(os.fsdecode(checkpoint))))
    return folder if folder.is_dir() else None


def folder_that_changes(checkpoint: object) -> Path | None:
    """Return the folder of a checkpoint of the user's; None for a bundled one and all else."""
    if not isinstance(checkpoint, (str, os.PathLike)):
        return None
    folder = local_folder(checkpoint)
    return None if folder is None or BUNDLED in folder.parents else folder


def stamp_of(path: Path) -> Stamp:
    """Return the state of a file, or of the files in a folder: it differs once one has changed."""
    found = []
    try:
        for entry in sorted(path.iterdir()) if path.is_dir() else [path]:
            if entry.suffix != PARTIAL:  # written beside a file, which it then replaces
                status = entry.stat()
                found.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
    except OSError:  # gone, or just being replaced
        found.append((path.name, 0, 0, 0))
    return tuple(found)


def load_checkpoint(folder: Path, required: Iterable[str] = ()) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors and the config of a checkpoint.

    Args:
        folder: its folder.
        required: names of tensors that it must hold.

    Raises:
        CheckpointError: a file or tensor is missing or damaged; the message names it.
    """
    config_path, weights_path = folder / CONFIG, folder / WEIGHTS
    for path in (config_path, weights_path):
        if not path.is_file():
            raise CheckpointError(
                f"{path} is missing: a checkpoint folder holds {WEIGHTS} and {CONFIG} "
                "(pickled weights are not read)"
            )
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged(config_path, error) from error
    if not isinstance(config, dict):
        raise damaged(config_path, "not a JSON object")
    try:
        tensors = load_file(weights_path)
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(weights_path, error) from error
    require_tensors(folder, tensors, required)
    return tensors, config


def check_router(folder: Path, router: str) -> None:
    """Check that a checkpoint was not made for another router.

    One that does not say so passes, as those of the original release; what is damaged is for its
    reader to tell.

    Args:
        folder: its folder.
        router: name of the router that reads it.

    Raises:
        CheckpointError: it was.
    """
    for path in (folder / DESCRIPTION, folder / CONFIG):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        made_for = said.get("router", router) if isinstance(said, dict) else router
        if made_for != router:
            raise CheckpointError(
                f"{folder} is a checkpoint of router '{made_for}', not of '{router}': name that "
                "router, or give another folder"
            )


def require_tensors(folder: Path, tensors: Tensors, names: Iterable[str]) -> None:
    """Check that tensors are present.

    Raises:
        CheckpointError: one is missing; the message names it.
    """
    for name in names:
        if name not in tensors:
            raise CheckpointError(
                f"{folder / WEIGHTS} has no tensor '{name}': {did_you_mean(name, tensors)}"
            )


def require_settings(
    folder: Path, config: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]]
) -> None:
    """Check that settings are present, each of its type.

    Raises:
        CheckpointError: one is missing or of another type; the message names it.
    """
    for name, kind in kinds.items():
        if name not in config:
            raise CheckpointError(
                f"{folder / CONFIG} has no '{name}': train the checkpoint again, or restore it"
            )
        if not isinstance(config[name], kind):
            raise CheckpointError(
                f"{folder / CONFIG} is damaged: '{name}' cannot be {config[name]!r}: restore it, "
                "or train the checkpoint again"
            )


def save_checkpoint(
    folder: Path, tensors: Tensors, config: Mapping[str, Any], card: str | None = None
) -> None:
    """Write a checkpoint; each file appears whole or not at all.

    Args:
        folder: made if absent.
        tensors: what goes to model.safetensors.
        config: what goes to config.json.
        card: Markdown of the model card.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    # The configuration first: it says whose the folder is, should the rest not be written.
    write_whole(folder / CONFIG, (json.dumps(config, indent=1) + "\n").encode())
    write_whole(folder / WEIGHTS, save(contiguous))
    if card is not None:
        write_whole(folder / CARD, card.encode("utf-8", "replace"))  # names of files may be odd


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole or, if the process is killed, not at all."""
    # A name of its own, because two processes may write the same file at once.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def damaged(path: Path, why: object) -> CheckpointError:
    """Return the error for a damaged file, with the reason and what to do."""
    return CheckpointError(f"{path} is damaged ({why}): restore it, or reinstall the package")
