"""The databases that a store can be in: an SQLite file, or what SQLAlchemy connects to.

Each operation has a connection of its own: forked workers and threads share none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from ...errors import ConfigError
from ...optional import require

Parameters = Mapping[str, Any]
Statement = tuple[str, Sequence[Parameters]]
"""SQL that is the same everywhere, with parameters such as ``:name``; run for each mapping."""

SQLITE = b"SQLite format 3"
"""What a file of it begins with."""

_WAIT_S = 30.0
"""How long a connection waits for another process that writes."""

_FETCHED = 1000
"""Rows that are in memory at once."""


class Database(Protocol):
    """Runs SQL."""

    name: str
    """For messages; holds no password."""

    def write(self, statements: Iterable[Statement]) -> None:
        """Run statements in one transaction."""

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, by column."""


def database_of(where: str) -> Database:
    """Return the database at a path (SQLite), or at a URL (SQLAlchemy).

    Raises:
        ConfigError: the URL is none.
        MissingExtraError: it is a URL, and SQLAlchemy or the driver is not installed.
    """
    return _Alchemy(where) if "://" in where else _Sqlite(where)


class _Sqlite:
    def __init__(self, path: str) -> None:
        self.name = path

    def write(self, statements: Iterable[Statement]) -> None:
        with closing(self._connected()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                connection.executemany(sql, rows)

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        with closing(self._connected()) as connection:
            cursor = connection.execute(sql, parameters)
            columns = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_FETCHED):
                yield from (dict(zip(columns, row, strict=True)) for row in rows)

    def _connected(self) -> sqlite3.Connection:
        if not Path(self.name).exists():
            # Prompts are nobody's business but the owner's; SQLite copies the mode to its -wal.
            os.close(os.open(self.name, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.name, timeout=_WAIT_S, isolation_level=None)
        # What retention deletes is overwritten, and readers do not wait for writers.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


class _Alchemy:
    def __init__(self, url: str) -> None:
        self._sql: Any = require("sqlalchemy", "store", "a store at a URL")
        pool: Any = require("sqlalchemy.pool", "store", "a store at a URL")
        try:
            self.name = self._sql.make_url(url).render_as_string(hide_password=True)
            self._engine = self._sql.create_engine(url, poolclass=pool.NullPool)
        except self._sql.exc.ArgumentError as error:
            raise ConfigError(
                "'store' is not the URL of a database: write postgresql+psycopg://USER@HOST/NAME, "
                "or the path of a file for SQLite"
            ) from error
        except ImportError as error:
            raise ConfigError(
                f"'store' is {self.name}, whose driver is not installed ({error}): install it, or "
                "write postgresql+psycopg:// and pip install psycopg"
            ) from error

    def write(self, statements: Iterable[Statement]) -> None:
        with self._engine.begin() as connection:
            for sql, rows in statements:
                if rows:
                    connection.execute(self._sql.text(sql), [dict(row) for row in rows])

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        with self._engine.connect() as connection:
            streamed = connection.execution_options(yield_per=_FETCHED)
            with streamed.execute(self._sql.text(sql), parameters) as result:
                yield from map(dict, result.mappings())
