"""Keep a moved threshold in a file, so that a new process starts with it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from ..checkpoints.store import write_whole
from ..errors import ConfigError
from ..rules.adapt import moved
from ..rules.share import NEVER
from .aim import Aim

logger = logging.getLogger(__name__)

_VERSION = 1
_LARGEST = 10_000
"""Bytes. A file has some hundred; whatever is larger is another file."""


class KeptThreshold:
    """The file in which a policy keeps its threshold.

    Args:
        path: of the file, which need not exist; its folder must.
        router: name of the router.
        fingerprint: of the router.
        aim: of the policy. A threshold that was kept for another one is not used.

    Raises:
        ConfigError: there is no such folder, or the path is that of another file.
    """

    def __init__(self, path: str, router: str, fingerprint: str | None, aim: Aim) -> None:
        self._path = Path(path)
        self._aim = aim
        self._of = {"router": router, "fingerprint": fingerprint, "share": aim.share}
        self._failed = False
        if not self._path.absolute().parent.is_dir():
            raise ConfigError(f"adapt: {path} cannot be written: there is no such folder")
        self._kept = self._parsed()

    def read(self) -> float | None:
        """Return the threshold, within the bounds; None if none was kept for this aim."""
        if self._kept is None or any(self._kept.get(k) != v for k, v in self._of.items()):
            return None
        share = self._aim.share or 0.0
        return moved(float(self._kept["threshold"]), share, self._aim.quantiles).threshold

    def write(self, threshold: float) -> None:
        """Write the threshold; a failure to write is logged once."""
        values = {"routellm_adapted": _VERSION, "threshold": threshold, **self._of}
        try:
            write_whole(self._path, (json.dumps(values) + "\n").encode())
        except OSError as error:
            if not self._failed:
                self._failed = True
                logger.warning("adapt: %s cannot be written (%s)", self._path, error.strerror)

    def _parsed(self) -> dict[str, Any] | None:
        try:
            if self._path.stat().st_size > _LARGEST:
                raise ValueError
            values = json.loads(self._path.read_bytes())
            if values["routellm_adapted"] == _VERSION and 0 <= float(values["threshold"]) <= NEVER:
                return dict(values)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        raise ConfigError(
            f"adapt: {self._path} does not hold a threshold kept by 'adapt': name another file, "
            "or remove it"
        )
