"""A proxy whose use of memory and of processors can be read, for measurements."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.litellm.configs import KEY

ROOT = Path(__file__).parents[3]


class MeasuredProxy(ProxyProcess):
    """Runs a proxy that knows the fake routers, for as long as its context lasts.

    Args:
        config: LiteLLM's.
        workers: processes that serve it.
    """

    def __init__(self, config: Mapping[str, Any], workers: int = 1) -> None:
        self._site = tempfile.TemporaryDirectory(prefix="routellm-measured-")
        folder = Path(self._site.name)
        info = folder / "routellm_fakes-1.0.dist-info"
        info.mkdir()
        metadata = "Metadata-Version: 2.1\nName: routellm-fakes\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text("[routellm]\nfakes = tests.fakes.routers\n")
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(dict(config)))
        found = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
        env = {
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONPATH": os.pathsep.join(found),
            "NUM_WORKERS": str(workers),
            # Busy with its imports, a worker does not answer within uvicorn's 5 s, and is replaced.
            "TIMEOUT_WORKER_HEALTHCHECK": "600",
        }
        super().__init__(path, env)

    def start(self, timeout_s: float = 600.0) -> None:
        """Start it, on a machine that may be busy."""
        super().start(timeout_s)

    def __exit__(self, *error: object) -> None:
        workers = self.workers()
        super().__exit__(*error)
        for worker in workers:  # should the process that started them have been killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        self._site.cleanup()

    def workers(self) -> list[int]:
        """Return the ids of the processes that serve it, where there are several."""
        try:
            children = (self._proc / "task" / self._proc.name / "children").read_text().split()
        except FileNotFoundError:  # it ended
            return []
        return [
            int(child)
            for child in children
            if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text(errors="replace")
        ]

    def resident_mib(self) -> float:
        """Return the memory that it holds, in MiB."""
        pages = (self._proc / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def processor_s(self) -> float:
        """Return the time that its threads have run on a processor, in seconds.

        Unlike time by the clock, it does not grow while the machine does something else.
        """
        total = 0
        for thread in (self._proc / "task").iterdir():
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except OSError:  # the thread ended
                continue
        return total / 1e9

    @property
    def _proc(self) -> Path:
        assert self._process is not None, "start() comes first"
        return Path(f"/proc/{self._process.pid}")
