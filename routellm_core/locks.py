"""A lock on a file or a folder, for as long as this process writes there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConfigError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file or a folder, which exists. A process that is killed leaves no lock.

    On Windows, and on file systems without locks, it does nothing.

    Raises:
        ConfigError: another process has the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        kind = "folder" if path.is_dir() else "file"
        raise ConfigError(
            f"another run writes to {path}: wait for its end, or name another {kind}"
        ) from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)
