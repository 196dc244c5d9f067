"""Check that results can be written before the work for them begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..errors import ConfigError


def check_room(folder: Path) -> None:
    """Write a byte to a folder and remove it again: a full disk has no room for it.

    Raises:
        OSError: nothing can be written there.
    """
    with tempfile.TemporaryFile(prefix="routellm-", dir=folder) as probe:
        probe.write(b"\0")


def check_file(path: Path) -> None:
    """Make sure that a file can be written in its folder.

    Raises:
        ConfigError: there is no such folder, or nothing can be written there.
    """
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}")
    try:
        check_room(path.absolute().parent)
    except OSError as error:
        raise unwritable(path, error) from error


def check_folder(folder: Path) -> None:
    """Make sure that files can be written to a folder, which may be absent. Nothing is made.

    Raises:
        ConfigError: nothing can be written there.
    """
    path = folder.absolute()
    try:
        check_room(next(each for each in (path, *path.parents) if each.exists()))
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}): name another folder"
        ) from error


def unwritable(path: Path, error: OSError) -> ConfigError:
    """Return the error for a file that cannot be written, with what to do."""
    return ConfigError(f"{path} cannot be written ({error.strerror}): name another file")
