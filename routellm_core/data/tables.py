"""Read tables of training data, JSON lines or parquet, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..optional import require
from .json_rows import json_objects

_PARQUET = b"PAR1"
"""What a parquet file begins with."""

_BATCH = 1024


def table_rows(path: Path, remedy: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where a row stands ("file, line 7", in parquet "file, row 7"), and the row.

    The kind of file is recognised by its first bytes, not from its name. In parquet a map
    is read as an object, as a struct is; what is absent is None.

    Args:
        path: JSON lines in UTF-8, plain or gzip, or parquet.
        remedy: what to do about a file or a line that is neither.

    Raises:
        DataError: it cannot be read.
        MissingExtraError: it is parquet, and pyarrow is not installed.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    return _parquet_rows(path) if is_parquet else json_objects(path, remedy)


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    parquet = require("pyarrow.parquet", "train", f"reading {path}, which is parquet,")
    arrow = require("pyarrow", "train", "reading parquet")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH):
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    yield f"{path}, row {number}", row
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}, after row {number}: damaged parquet ({error}): write the file again"
        ) from error
