"""A real Redis on loopback, or what stands in for LiteLLM's client of one."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Any

from routellm_plugins.demo.proxy_process import free_port
from routellm_plugins.demo.running import Running


def redis_missing() -> str | None:
    """Why there can be no Redis here, if so."""
    return None if shutil.which("redis-server") else "redis-server is not installed"


class RedisServer(Running):
    """Runs ``redis-server`` for as long as its context lasts.

    Attributes:
        port: where it listens, also after ``stop`` and ``start``.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 30.0) -> None:
        """Start it, and return once it takes connections."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", tempfile.gettempdir()]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"redis-server did not listen within {timeout_s:g} s")

    def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def send(self, signal: int) -> None:
        """Send it a signal, such as SIGSTOP, after which it hangs."""
        assert self._process is not None
        self._process.send_signal(signal)


class FakeRedis:
    """LiteLLM's ``RedisCache``, over a dictionary; it can be away or hang."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.times: dict[str, float] = {}
        self.state = "well"
        self.asked = 0

    async def async_batch_get_cache(self, key_list: list[str]) -> dict[str, Any]:
        self.asked += 1
        await self._answer()
        return {key: self.kept.get(key) for key in key_list}

    async def async_set_cache(self, key: str, value: object, ttl: float) -> None:
        await self._answer()
        self.kept[key], self.times[key] = value, ttl

    async def _answer(self) -> None:
        if self.state == "away":
            raise ConnectionError("refused")
        if self.state == "hanging":
            await asyncio.sleep(3600)
