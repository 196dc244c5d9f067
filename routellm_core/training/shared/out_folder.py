"""The folder that a run writes to: checked and locked before any work."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from ...checkpoints.store import CARD, CONFIG, DESCRIPTION, WEIGHTS
from ...data.writable import check_room
from ...errors import ConfigError, RouteLLMError
from ...locks import locked
from ...routers.bert.onnx import MODEL
from ...routers.causal_llm.prompt import CLASSIFIER, SYSTEM
from ...routers.transformer.pretrained import TOKENIZER
from ..finetune.state import STATE, is_foreign
from .card import METRICS

_NAMES = (
    *(CARD, CONFIG, METRICS, WEIGHTS, MODEL, TOKENIZER, SYSTEM, CLASSIFIER),
    *("tokenizer_config.json", "generation_config.json", "chat_template.jinja"),
)
"""Names of files that checkpoints have."""

_OURS = frozenset(("router", "fingerprint"))
"""Keys of config.json, one of which the checkpoint of a router or of an encoder has."""

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""What an OSError says when there is no room for a file."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock a folder while something is written to it; a new one that stays empty is removed.

    Args:
        folder: made if absent.

    Raises:
        ConfigError: it cannot be made or written to, another process holds it, or no room is left
            in it before all is written.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        _probe(folder)
        # Of processes that train together, the first has the lock.
        with locked(folder) if os.environ.get("RANK", "0") == "0" else nullcontext():
            yield
    except RouteLLMError:
        raise
    except Exception as error:
        if _is_full(folder, error):
            raise ConfigError(
                f"no room is left for {folder}: make room and start the command again, or name "
                "another folder"
            ) from error
        raise
    finally:
        with suppress(OSError):  # it is not empty
            for each in made:
                each.rmdir()


def _probe(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}): name another folder"
        ) from error


def _is_full(folder: Path, error: Exception) -> bool:
    """Whether a failure came of a full disk, which libraries report by errors of their own."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    if any(os.strerror(code) in str(error) for code in _FULL):
        return True
    try:
        check_room(folder)
    except OSError as found:
        return found.errno in _FULL
    return False


@contextmanager
def held_for_checkpoint(folder: Path) -> Iterator[None]:
    """Lock a folder for a checkpoint, which may replace an older one.

    Raises:
        ConfigError: as for ``held``; or a file there has the name of a checkpoint's and belongs to
            something else.
    """
    foreign = [name for name in _NAMES if (folder / name).exists() and not _is_ours(folder)]
    foreign += [STATE] if is_foreign(folder / STATE) else []
    if foreign:
        raise ConfigError(
            f"{folder / foreign[0]} exists already and is not part of a router: name another folder"
        )
    with held(folder):
        yield


def _is_ours(folder: Path) -> bool:
    if (folder / DESCRIPTION).is_file() or any((folder / STATE).glob("*")):
        return True
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and not _OURS.isdisjoint(config)
