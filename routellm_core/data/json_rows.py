"""Read files of rows line by line, in bounded memory; errors name file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError

_GZIP = b"\x1f\x8b"
"""What a gzip file begins with; nothing in UTF-8 does."""

_LARGEST = 1e100
"""Of a number, so that sums and squares are still finite."""


@dataclass(frozen=True)
class Row:
    """A query, and how well both models answer it."""

    prompt: str
    strong: float
    """Quality of the strong model's answer; any scale on which more is better."""
    weak: float
    group: str = ""
    """What it belongs to: the subject on MMLU."""
    unit: str | None = None
    """Rows of the same unit are not independent, and are resampled together."""
    costs: tuple[float, float] | None = None
    """Of the strong and of the weak model's answer."""


def text_lines(path: Path, remedy: str) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, plain or gzip, with their ends, and without a byte order
    mark.

    Args:
        path: the file.
        remedy: what to do if it cannot be read.

    Raises:
        DataError: it cannot be read, or is not UTF-8; the message names the line.
    """
    for line_number, line in enumerate(raw_lines(path, remedy), start=1):
        try:
            yield line.decode("utf-8-sig" if line_number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}, line {line_number}: not UTF-8 ({error.reason}): convert the file to UTF-8"
            ) from error


def raw_lines(path: Path, remedy: str) -> Iterator[bytes]:
    """Yield the lines of a file, plain or gzip, as bytes, with their ends.

    Raises:
        DataError: it cannot be read.
    """
    is_gzip = False
    try:
        with path.open("rb") as file:
            # Not read and put back: it may be a pipe.
            is_gzip = file.peek(len(_GZIP)).startswith(_GZIP)
            yield from gzip.GzipFile(fileobj=file) if is_gzip else file
    except (OSError, EOFError, zlib.error) as error:
        why = f", damaged gzip ({error})" if is_gzip else f" ({getattr(error, 'strerror', error)})"
        raise DataError(f"{path} cannot be read{why}: {remedy}") from error


def json_objects(path: Path, remedy: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file, line n" and the object on that line, for each line that is not blank.

    Raises:
        DataError: the file cannot be read, or a line is no JSON object.
    """
    for number, line in enumerate(text_lines(path, remedy), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: no JSON ({error}): {remedy}") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: no JSON object: {remedy}")
        yield where, row


def number(where: str, row: dict[str, Any], column: str, what: str) -> float:
    """Return a number of a row, of at most ``_LARGEST``; True is 1 and False is 0.

    Args:
        where: file and row, for the message.
        row: as read from JSON.
        column: its key.
        what: what to write there.

    Raises:
        DataError: it is missing or something else.
    """
    if column not in row:
        raise DataError(f"{where}: no '{column}': write {what}")
    value = row[column]
    if isinstance(value, (int, float)) and abs(value) <= _LARGEST:
        return float(value)
    raise DataError(f"{where}: '{column}' is {shown(value)}: write {what}")


def shown(value: object) -> str:
    """Return a value as it may stand in an error message."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
