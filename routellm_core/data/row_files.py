"""Write rows to a file as they come: JSON lines, or parquet where its name says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..optional import require
from .writable import check_file, unwritable

Write = Callable[[Sequence[Mapping[str, Any]]], None]

_PARQUET = ".parquet"

_GROUP = 16_384
"""Rows that are written to parquet at once: readers are slow if there are few."""


@contextmanager
def written_rows(path: Path, columns: Mapping[str, type]) -> Iterator[Write]:
    """Give what writes rows to a file, which appears whole when the block ends, or not at all.

    Args:
        path: parquet if it ends in ``.parquet``, else JSON lines.
        columns: of the rows, with their types, ``str`` or ``float``; any value may be None.

    Raises:
        ConfigError: the file cannot be written.
        MissingExtraError: it is parquet, and pyarrow is not installed.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    check_file(path)
    is_parquet = path.name.lower().endswith(_PARQUET)
    try:
        with ExitStack() as stack:
            stack.callback(partial.unlink, missing_ok=True)
            with ExitStack() as file:
                write = (_parquet if is_parquet else _json_lines)(file, partial, columns)
                yield write
            os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error


def _json_lines(file: ExitStack, path: Path, columns: Mapping[str, type]) -> Write:
    out = file.enter_context(path.open("w", encoding="utf-8", newline="\n"))

    def write(rows: Sequence[Mapping[str, Any]]) -> None:
        out.writelines(f"{json.dumps(row)}\n" for row in rows)

    return write


def _parquet(file: ExitStack, path: Path, columns: Mapping[str, type]) -> Write:
    arrow = require("pyarrow", "parquet", "writing parquet")
    parquet = require("pyarrow.parquet", "parquet", "writing parquet")
    types = {str: arrow.string(), float: arrow.float64()}
    schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
    out = file.enter_context(parquet.ParquetWriter(path, schema))
    held: list[Mapping[str, Any]] = []

    def flush() -> None:
        sound = {
            name: [_text(row[name]) if kind is str else row[name] for row in held]
            for name, kind in columns.items()
        }
        out.write_table(arrow.table(sound, schema=schema))
        held.clear()

    def write(rows: Sequence[Mapping[str, Any]]) -> None:
        held.extend(rows)
        if len(held) >= _GROUP:
            flush()

    file.callback(flush)
    return write


def _text(value: Any) -> Any:
    # Lone surrogates are no Unicode, and parquet has no place for them.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
