"""The folder that a run writes to: checked and locked before any work."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from ...checkpoints.store import CARD, CONFIG, DESCRIPTION
from ...errors import ConfigError
from ...locks import locked
from ..finetune.state import STATE
from .card import METRICS

_OURS = frozenset(("router", "fingerprint"))
"""Keys of config.json, one of which the checkpoint of a router or of an encoder has."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock a folder while something is written to it; a new one that stays empty is removed.

    Args:
        folder: made if absent.

    Raises:
        ConfigError: it cannot be made or written to, or another process holds it.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        _probe(folder)
        # Of processes that train together, the first has the lock.
        with locked(folder) if os.environ.get("RANK", "0") == "0" else nullcontext():
            yield
    finally:
        with suppress(OSError):  # it is not empty
            for each in made:
                each.rmdir()


def _probe(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix="routellm-", dir=folder) as probe:
            probe.write(b"\0")  # for which a full disk has no room
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}): name another folder"
        ) from error


@contextmanager
def held_for_checkpoint(folder: Path) -> Iterator[None]:
    """Lock a folder for a checkpoint, which may replace an older one.

    Raises:
        ConfigError: as for ``held``; or a file there has the name of a checkpoint's and belongs to
            something else.
    """
    for name in (CARD, CONFIG, METRICS):
        if (folder / name).is_file() and not _is_ours(folder):
            raise ConfigError(
                f"{folder / name} exists already and is not part of a router: name another folder"
            )
    with held(folder):
        yield


def _is_ours(folder: Path) -> bool:
    if (folder / DESCRIPTION).is_file() or (folder / STATE).is_dir():
        return True
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and not _OURS.isdisjoint(config)
