"""A real Redis on a free port of loopback, or what stands in for LiteLLM's client of one."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from typing import Any

import pytest


class RedisServer:
    """A ``redis-server`` process that keeps nothing on disk; a context manager."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("no redis-server on this machine: apt-get install redis-server")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def __enter__(self) -> RedisServer:
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        command = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self.process = subprocess.Popen(
            ["redis-server", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()


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
