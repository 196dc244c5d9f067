"""Runs `routellm` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from routellm_plugins.cli import main; main()"]


def routellm(*args: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``env`` is added to the environment."""
    return subprocess.run(
        [*COMMAND, *args],
        env={**os.environ, "COLUMNS": "120", **env},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
