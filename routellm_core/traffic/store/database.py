"""The databases that a store can be in: an SQLite file, or what SQLAlchemy connects to.

A connection is kept for what is short, since opening one costs more than a write. It is not for a
fork, which opens a store of its own.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from ...errors import ConfigError
from ...optional import require

Parameters = Mapping[str, Any]
Statement = tuple[str, Sequence[Parameters]]
"""SQL that is the same everywhere, with parameters such as ``:name``; run for each mapping."""


class Read(Protocol):
    """Runs a query."""

    def __call__(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, by column."""


_SQLITE = b"SQLite format 3"
"""What a file of it begins with."""

_WAIT_S = 30.0
"""How long a connection waits for another process that writes."""

_RETRY_S = 0.01
_ASK_S = 0.25

_NO_FILE = "for a store in SQLite, write the path of its file, such as traffic.db"

_FETCHED = 1000
"""Rows that are in memory at once."""


_FILE_URLS = ("sqlite:///", "sqlite+pysqlite:///")
"""What SQLAlchemy's URLs of SQLite's files begin with."""


def file_of(where: str) -> str | None:
    """Return the path of the SQLite file that a path or a URL names; None for another database."""
    if "://" not in where:
        return where
    begun = next(filter(where.startswith, _FILE_URLS), None)
    return None if begun is None else where.removeprefix(begun)


def is_store(where: str) -> bool:
    """Return whether a path or URL is that of a store, and not of a file of rows."""
    if "://" in where:
        return True
    if not Path(where).is_file():
        return False
    with Path(where).open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


class Database(Protocol):
    """Runs SQL."""

    name: str
    """For messages; holds no password."""

    def write(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""

    def first(self, sql: str, **parameters: Any) -> dict[str, Any] | None:
        """Return the first row of a query, by column; None if it has none."""

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, by column."""

    def snapshot(self) -> AbstractContextManager[Read]:
        """Return what reads the database as it is at one moment, until it is closed, and keeps
        nobody from writing.
        """

    def has(self, table: str) -> bool:
        """Return whether there is such a table."""

    def overwrite(self, wait_s: float) -> bool:
        """Let nothing that was deleted stay in a file of the database; return whether nobody who
        reads it was in the way for so many seconds.
        """


def database_of(where: str) -> Database:
    """Return the database at a path (SQLite), or at a URL (SQLAlchemy; of SQLite's files, those
    at their paths).

    Raises:
        ConfigError: the URL is none, or of SQLite and not of a file alone.
        MissingExtraError: it is a URL, and SQLAlchemy or the driver is not installed.
    """
    path = file_of(where)
    if path is None:
        return _Alchemy(where)
    if "://" in where and ("?" in path or path in ("", ":memory:")):
        raise ConfigError(_NO_FILE)
    return _Sqlite(path)


class _Sqlite:
    def __init__(self, path: str) -> None:
        self.name = path
        self._lock = threading.Lock()
        self._kept: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Device and number of the file that the kept connection is to."""
        self._process = os.getpid()

    def __del__(self) -> None:
        if self._kept is not None and os.getpid() == self._process:
            self._kept.close()

    def write(self, statements: Sequence[Statement]) -> None:
        with self._lock, self._connection() as connection:
            if not _is_one(statements):  # which is a transaction by itself
                connection.execute("BEGIN IMMEDIATE")
            for sql, rows in statements:
                connection.executemany(sql, rows)

    def first(self, sql: str, **parameters: Any) -> dict[str, Any] | None:
        with self._lock:
            return next(_by_column(self._connection().execute(sql, parameters)), None)

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        # Of its own: whoever reads many rows keeps nobody from writing meanwhile.
        with closing(self._opened()) as connection:
            yield from _by_column(connection.execute(sql, parameters))

    @contextmanager
    def snapshot(self) -> Iterator[Read]:
        with closing(self._opened()) as connection:
            connection.execute("BEGIN")  # with a write-ahead log, readers see what they saw first
            yield lambda sql, **parameters: _by_column(connection.execute(sql, parameters))

    def has(self, table: str) -> bool:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = :table"
        return self.first(sql, table=table) is not None

    def overwrite(self, wait_s: float) -> bool:
        # SQLite would wait for whoever reads, and let nobody write meanwhile: so it is asked not to
        # wait, and asked again.
        until = time.monotonic() + wait_s
        with closing(self._opened()) as connection:
            connection.execute("PRAGMA busy_timeout = 0")
            while not _checkpointed(connection):
                if time.monotonic() >= until:
                    return False
                time.sleep(_ASK_S)
        return True

    def _connection(self) -> sqlite3.Connection:
        """Return the kept connection, to the file that is there now."""
        if self._kept is None or _number(self.name) != self._file:
            if self._kept is not None:
                self._kept.close()
            self._kept = self._opened()
            self._file = _number(self.name)
        return self._kept

    def _opened(self) -> sqlite3.Connection:
        if not Path(self.name).exists():
            # Prompts are nobody's business but the owner's; SQLite copies the mode to its -wal.
            os.close(os.open(self.name, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self.name, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            # What retention deletes is overwritten, and readers do not wait for writers.
            connection.execute("PRAGMA secure_delete = ON")
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _is_one(statements: Sequence[Statement]) -> bool:
    """Return whether there is one statement, with one row."""
    return len(statements) == 1 and len(statements[0][1]) == 1


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let a file have a write-ahead log. SQLite does not wait here for others that open the same
    file at the same time, whatever the connection's time limit is.
    """
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)


def _checkpointed(connection: sqlite3.Connection) -> bool:
    """Empty the write-ahead log into the file; return whether nobody was in the way."""
    try:
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return False
    return not is_busy


def _number(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _by_column(cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    columns = [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(_FETCHED):
        yield from (dict(zip(columns, row, strict=True)) for row in rows)


class _Alchemy:
    _engine: Any = None

    def __init__(self, url: str) -> None:
        self._process = os.getpid()
        self._sql: Any = require("sqlalchemy", "store", "a store at a URL")
        try:
            self.name = self._sql.make_url(url).render_as_string(hide_password=True)
            if self._sql.make_url(url).get_backend_name() == "sqlite":
                raise ConfigError(_NO_FILE)
            # What waits between two writes is one connection, which a server may have closed since.
            # Its errors, which are logged, would quote the texts of the rows.
            self._engine = self._sql.create_engine(
                url, pool_pre_ping=True, pool_size=1, hide_parameters=True
            )
            self._alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
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

    def __del__(self) -> None:
        if self._engine is not None and os.getpid() == self._process:
            self._engine.dispose()

    def write(self, statements: Sequence[Statement]) -> None:
        # Each statement to a server is a way there and back, BEGIN and COMMIT too.
        with (self._alone if _is_one(statements) else self._engine).begin() as connection:
            for sql, rows in statements:
                if rows:
                    connection.execute(self._sql.text(sql), [dict(row) for row in rows])

    def rows(self, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        with self._engine.connect() as connection:
            yield from self._streamed(connection, sql, parameters)

    @contextmanager
    def snapshot(self) -> Iterator[Read]:
        with self._engine.connect() as connection:
            connection.execution_options(isolation_level="REPEATABLE READ")
            yield lambda sql, **parameters: self._streamed(connection, sql, parameters)

    def _streamed(
        self, connection: Any, sql: str, parameters: Parameters
    ) -> Iterator[dict[str, Any]]:
        options = {"yield_per": _FETCHED}
        with connection.execute(self._sql.text(sql), parameters, execution_options=options) as rows:
            yield from map(dict, rows.mappings())

    def first(self, sql: str, **parameters: Any) -> dict[str, Any] | None:
        with self._alone.connect() as connection:
            row = connection.execute(self._sql.text(sql), parameters).mappings().first()
        return None if row is None else dict(row)

    def has(self, table: str) -> bool:
        return bool(self._sql.inspect(self._engine).has_table(table))

    def overwrite(self, wait_s: float) -> bool:
        """What a server keeps of deleted rows, and for how long, is the server's to say."""
        return True
