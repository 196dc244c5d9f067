"""A real PostgreSQL on loopback with an empty database, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from routellm_plugins.demo.proxy_process import free_port
from routellm_plugins.demo.running import Running

USER = "nobody"
"""Whom the server runs as if this is root, which PostgreSQL refuses."""


def postgres_missing() -> str | None:
    """Why there can be no PostgreSQL here, if so."""
    return None if _programs() else "PostgreSQL is not installed (apt-get install postgresql)"


class PostgresServer(Running):
    """Runs a server for as long as its context lasts, and forgets what it held."""

    def __init__(self) -> None:
        programs = _programs()
        assert programs is not None, postgres_missing()
        self._programs = programs
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="routellm-postgres-"))

    @property
    def url(self) -> str:
        """The database's, as clients are given it."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def run(self, files: list[Path]) -> None:
        """Let psql run files of SQL, in their order.

        Raises:
            subprocess.CalledProcessError: one has a mistake.
        """
        in_order = [part for file in files for part in ("-f", str(file))]
        self._call("psql", "-q", "-v", "ON_ERROR_STOP=1", self.url, *in_order)

    def start(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER)
        data = str(self._folder / "data")
        self._call("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        listening = f"-F -p {self._port} -h 127.0.0.1 -k {self._folder}"
        log = str(self._folder / "log")
        self._call("pg_ctl", "-D", data, "-l", log, "-o", listening, "-w", "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, program: str, *arguments: str) -> None:
        as_user: dict[str, Any] = {"cwd": "/"}
        if os.geteuid() == 0:
            as_user.update(user=USER, extra_groups=[])
        # pg_ctl's server keeps what it inherits, so that reading a pipe would never end.
        with (self._folder / "calls").open("ab") as output:
            command = [str(self._programs / program), *arguments]
            subprocess.run(command, check=True, stdout=output, stderr=output, **as_user)


def _programs() -> Path | None:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return versions[-1].parent if versions else None
