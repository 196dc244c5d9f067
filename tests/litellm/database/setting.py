"""LiteLLM's database: what it takes to have one in tests, and the environment of its proxy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.postgres_server import PostgresServer, postgres_missing

PREPARED = Path(__file__).parents[3] / "build/database"
"""What ``make database`` makes: LiteLLM's database client for Python, and its query engine."""


def database_missing() -> str | None:
    """Why there can be no database of LiteLLM's here, if so."""
    prepared, wanted = PREPARED / "schema.prisma", _proxy_folder() / "schema.prisma"
    if not prepared.is_file() or prepared.read_bytes() != wanted.read_bytes():
        return "the database client of this LiteLLM is not prepared (make database)"
    if shutil.which("node") is None:
        return "Node.js is not installed"
    return postgres_missing()


def _proxy_folder() -> Path:
    litellm = find_spec("litellm")
    assert litellm is not None
    assert litellm.origin is not None
    return Path(litellm.origin).parent / "proxy"


def migrations() -> list[Path]:
    """Return the files of SQL that make LiteLLM's tables."""
    import litellm_proxy_extras

    folder = Path(litellm_proxy_extras.__file__).parent / "migrations"
    return sorted(folder.glob("*/migration.sql"))


def environment(url: str, pythonpath: str) -> dict[str, str]:
    """Return what a proxy with a database needs in its environment."""

    def variables() -> Iterator[tuple[str, str]]:
        yield "DATABASE_URL", url
        yield "DISABLE_SCHEMA_UPDATE", "true"  # else LiteLLM asks for the engine of migrations
        yield "LITELLM_PRISMA_COMMAND_TIMEOUT", "1"
        yield "LITELLM_SALT_KEY", "sk-tests-salt-8c41f0"
        yield "PRISMA_QUERY_ENGINE_BINARY", str(PREPARED / "engine.cjs")
        yield "PRISMA_SCHEMA_ENGINE_BINARY", str(PREPARED / "engine.cjs")
        yield "PROXY_BATCH_WRITE_AT", "1"
        yield "PYTHONPATH", os.pathsep.join([str(PREPARED / "python"), pythonpath])

    return dict(variables())


@contextmanager
def with_database(
    proxy_with: Callable[..., ProxyProcess],
    config: dict[str, Any],
    plugin_path: str,
    number: int = 1,
) -> Iterator[list[ProxyProcess]]:
    """Run proxies of one config, which share a new database."""
    with PostgresServer() as postgres, ExitStack() as stack:
        postgres.run(migrations())
        made = [proxy_with(config, **environment(postgres.url, plugin_path)) for _ in range(number)]
        for proxy in made:
            stack.callback(proxy.stop)
            proxy.start(timeout_s=400)
        yield made
