"""A real `routellm serve` as a child process, with the fake routers as a plugin."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from routellm_plugins.demo.proxy_process import free_port
from routellm_plugins.demo.running import Running
from tests.cli.command import COMMAND

ROOT = Path(__file__).parents[2]


class ScoringProcess(Running):
    """Runs ``routellm serve ARGS`` on loopback.

    Args:
        args: of the command, without ``--port``.
        port: where to listen; None takes a free one. The same after each ``start``.
        env: added to the environment.
    """

    def __init__(self, *args: str, port: int | None = None, **env: str) -> None:
        self.port = port or free_port()
        self._args = args
        site = Path(tempfile.mkdtemp(prefix="routellm-serve-"))
        weakref.finalize(self, shutil.rmtree, site, ignore_errors=True)
        info = site / "routellm_fakes-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: routellm-fakes\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("[routellm]\nfakes = tests.fakes.routers\n")
        path = os.pathsep.join([str(site), str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._env = {
            **os.environ,
            "PYTHONPATH": path,
            "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD": "",
            **env,
        }
        self._log = site / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None, "start() comes first"
        return self._process.pid

    def start(self, timeout_s: float = 120.0) -> None:
        """Start it and return once it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "serve", "--port", str(self.port), *self._args],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end; returns its exit code."""
        assert self._process is not None, "start() comes first"
        return self._process.wait(timeout_s)

    def stop(self) -> None:
        """Kill it, whatever it is doing."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False
