"""Runs `routellm` as a user does."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

from routellm_plugins.cli import main

COMMAND = [sys.executable, "-c", "from routellm_plugins.cli import main; main()"]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


def routellm(*args: str, timeout: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a process; ``env`` is added to the environment."""
    return subprocess.run(
        [*COMMAND, *args],
        env={**os.environ, "COLUMNS": "120", **env},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@contextlib.contextmanager
def started(*args: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process that SIGINT can interrupt and that does not outlive the block;
    ``env`` is added to the environment.
    """
    process = subprocess.Popen(
        [*COMMAND, *args],
        env={**os.environ, "COLUMNS": "120", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background of a shell ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:  # closes its pipes, and waits for its end
        try:
            yield process
        finally:
            process.kill()


def called(*args: str) -> Done:
    """Run a command in this process, which has imported already what takes a second."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["routellm", *args]),
        patch.dict(os.environ, COLUMNS="120"),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(code, out.getvalue(), err.getvalue())
