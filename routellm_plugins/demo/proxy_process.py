"""A real LiteLLM proxy as a child process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from routellm_core import MissingExtraError, RouteLLMError

from .running import Running

_STOP_AT_END_OF_INPUT = (
    "import os, signal, sys; sys.stdin.read(); os.kill(int(sys.argv[1]), signal.SIGTERM)"
)
"""A program that sends SIGTERM to a process when its own input ends, as it does when the process
that holds the other end of the pipe is gone, however that was ended."""


class ProxyProcess(Running):
    """Runs ``litellm --config CONFIG`` on loopback, from ``start`` to ``stop``, or to the end of
    this process, even if that is killed.

    Args:
        config: the proxy's config file.
        env: added to this process's environment.
        port: where to listen; None takes a free one.

    Raises:
        MissingExtraError: LiteLLM's proxy is not installed.
    """

    def __init__(self, config: Path, env: Mapping[str, str], port: int | None = None) -> None:
        self._command = _litellm_command()
        self._config = config
        self._env = env
        self.port = port or free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="routellm-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[str] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The proxy's base URL, without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything that the proxy has printed."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def start(self, timeout_s: float = 120.0) -> None:
        """Start the proxy and return once it takes requests.

        Raises:
            RouteLLMError: it ended, or was not ready in time; the message holds its last lines.
        """
        with _signals_held_back():
            process = self._start_processes()
        deadline = time.monotonic() + timeout_s
        while not self._ready():
            if process.poll() is not None:
                self.stop()
                raise RouteLLMError(f"the proxy ended at start:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RouteLLMError(
                    f"the proxy was not ready within {timeout_s:g} s:\n{self._last_lines()}"
                )
            time.sleep(0.2)

    def _start_processes(self) -> subprocess.Popen[str]:
        with self._log_path.open("w") as log:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    *("--config", str(self._config)),
                    *("--host", "127.0.0.1"),
                    *("--port", str(self.port)),
                ],
                env={**os.environ, **self._env},
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self._watcher = subprocess.Popen(
            [sys.executable, "-c", _STOP_AT_END_OF_INPUT, str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # the terminal's signals are for this process to handle
        )
        return self._process

    def wait(self) -> int:
        """Wait until the proxy ends; returns its exit code."""
        assert self._process is not None, "start() comes first"
        return self._process.wait()

    def stop(self) -> None:
        """Stop the proxy: with SIGTERM, and if that does not end it, with SIGKILL."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _log_path(self) -> Path:
        return self._folder / "proxy.log"

    def _ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/health/readiness", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    def _last_lines(self) -> str:
        return "\n".join(self.log.splitlines()[-15:])


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Handle signals at the end: an exception while a process starts would leave it running."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled on the main thread alone
        return
    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    handlers = {each: signal.getsignal(each) for each in numbers if each is not None}
    handled = {number: handler for number, handler in handlers.items() if callable(handler)}
    came: list[int] = []
    for number in handled:
        signal.signal(number, lambda each, _: came.append(each))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def free_port(preferred: int = 0) -> int:
    """Return a port of loopback that is free now: the preferred one, or else any."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RouteLLMError("no free port on loopback")


def _litellm_command() -> list[str]:
    beside = shutil.which("litellm", path=str(Path(sys.executable).parent))
    command = beside or shutil.which("litellm")
    if command is None:
        raise MissingExtraError('LiteLLM is not installed: pip install "routellm-plugins[litellm]"')
    return [command]
