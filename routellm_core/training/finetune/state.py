"""Where a fine-tuning that is not finished stands, so that a killed run goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

from ...checkpoints.store import write_whole
from ...errors import ConfigError

STATE = "state"
"""Folder beside the checkpoint; removed when it is written."""

_RUN = "run.txt"
_LAST_WRITTEN = "trainer_state.json"


def claim(folder: Path, run: str, writes: bool) -> None:
    """Make a folder for the states of a run, or see that it holds those of the same.

    Args:
        folder: made if absent.
        run: the run's digest.
        writes: whether this process is the one that writes.

    Raises:
        ConfigError: it holds another run's.
    """
    name = folder / _RUN
    if name.is_file() and name.read_text() != run:
        raise ConfigError(
            f"{folder} belongs to a run on other data or settings: "
            "give another --out, or remove the folder to start again"
        )
    if writes:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(name, run.encode())


def is_foreign(states: Path) -> bool:
    """Whether a folder called ``STATE`` holds files, but no state of a run."""
    has_files = any(path.is_file() for path in states.rglob("*"))
    return has_files and not any(states.glob(f"*/{_RUN}*"))


def last_state(folder: Path) -> Path | None:
    """Return the newest state that was written to its end; None if there is none."""
    numbered = {
        int(path.name.removeprefix("checkpoint-")): path for path in folder.glob("checkpoint-*")
    }
    return next((path for _, path in sorted(numbered.items(), reverse=True) if _whole(path)), None)


def _whole(path: Path) -> bool:
    try:
        json.loads((path / _LAST_WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
