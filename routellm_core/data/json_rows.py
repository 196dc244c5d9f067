"""Read files of rows line by line, in bounded memory; errors name file and line."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError

_GZIP = b"\x1f\x8b"
"""What a gzip file begins with; nothing in UTF-8 does."""

_PACKED = {
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zip": re.compile(rb"PK\x03\x04"),
}
"""What files begin with that are packed otherwise, which are not read."""

_LONGEST_MARK = 10

_LARGEST = 1e100
"""Of a number, so that sums and squares are still finite."""

_LONGEST = 1 << 26
"""Bytes of a line. Where broken rows are skipped, a longer one is skipped too."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""What a file in UTF-16 begins with."""

NOT_JSON = "not JSON"

Broken = Callable[[str, str], None]
"""Is told where a row is that cannot be read ("file, line 7"), and why, never its text."""


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
    better: float | None = None
    """How often the strong model's answer is better, a tie counting as half; None if it is not
    known."""
    repeats: int = 0
    """Further labels of the same query, of which all this is the mean."""


def numbered_lines(
    path: Path, remedy: str, broken: Broken | None = None
) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file in UTF-8, or in UTF-16 that begins with a byte order mark, plain or
    gzip, numbered from 1, with their ends, and without the mark.

    Args:
        path: the file.
        remedy: what to do if it cannot be read.
        broken: is told of lines that are not UTF-8, or longer than 64 MiB, which are then skipped;
            None: they are errors.

    Raises:
        DataError: it cannot be read, or is not UTF-8; the message names the line.
    """
    number, is_cut = 0, False
    for line in raw_lines(path, remedy, -1 if broken is None else _LONGEST):
        goes_on = is_cut
        is_cut = broken is not None and len(line) >= _LONGEST and not line.endswith(b"\n")
        if goes_on:
            continue
        number += 1
        where = f"{path}, line {number}"
        if is_cut and broken is not None:
            broken(where, "a line of more than 64 MiB; a list is to be written as lines")
            continue
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            if broken is None:
                raise DataError(
                    f"{where}: not UTF-8 ({error.reason}): convert the file to UTF-8"
                ) from error
            broken(where, "not UTF-8")


def raw_lines(path: Path, remedy: str, longest: int = -1) -> Iterator[bytes]:
    """Yield the lines of a file, plain or gzip, as bytes, with their ends; of UTF-16 as UTF-8.

    Args:
        path: the file.
        remedy: what to do if it cannot be read.
        longest: a line of more bytes is given in pieces of so many, in UTF-16 of so many
            characters; -1: no line is.

    Raises:
        DataError: it cannot be read.
    """
    is_gzip = False
    try:
        with path.open("rb") as file:
            # Not read and put back: it may be a pipe.
            begin = file.peek(_LONGEST_MARK)
            is_gzip = begin.startswith(_GZIP)
            packed = next((name for name, mark in _PACKED.items() if mark.match(begin)), None)
            if packed is not None:
                raise DataError(
                    f"{path} is packed with {packed}, which is not read: unpack it, or pack it "
                    "with gzip"
                )
            lines = gzip.GzipFile(fileobj=file) if is_gzip else file
            if lines.peek(len(_UTF16[0])).startswith(_UTF16):
                text = io.TextIOWrapper(lines, encoding="utf-16", newline="\n")
                yield from (line.encode() for line in iter(lambda: text.readline(longest), ""))
            else:
                yield from lines if longest < 0 else iter(lambda: lines.readline(longest), b"")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read, damaged UTF-16 ({error.reason}): {remedy}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        if is_gzip:
            raise DataError(
                f"{path} cannot be read to its end, damaged gzip ({error}): copy it again, "
                "or write it anew; if it is still being written, wait until it is closed"
            ) from error
        why = getattr(error, "strerror", error)
        raise DataError(f"{path} cannot be read ({why}): {remedy}") from error


def json_objects(
    path: Path, remedy: str, broken: Broken | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file, line n" and the object on that line, for each line that is not blank; of a file
    that is one array of objects, "file, row n" and the object.

    Args:
        path: the file.
        remedy: what to do if it cannot be read.
        broken: is told of lines that are no JSON object, which are then skipped, and an array is
            read in bounded memory, as APIs and databases export it: on one line, or with one
            object on each. None: such lines are errors.

    Raises:
        DataError: the file cannot be read, or a line is no JSON object.
    """
    lines, begun = numbered_lines(path, remedy, broken), False
    for number, line in lines:
        if not line.strip():
            continue
        if broken is None and not begun and line.lstrip().startswith("["):
            yield from _array(path, number, line + "".join(more for _, more in lines), remedy)
            return
        begun = True
        where = f"{path}, line {number}"
        try:
            found = json.loads(line) if broken is None else _parsed(line)
        except (ValueError, RecursionError) as error:
            if broken is None:
                raise DataError(f"{where}: not JSON ({error}): {remedy}") from error
            broken(where, NOT_JSON)
            continue
        rows = found if broken and isinstance(found, list) else [found]
        for at, row in enumerate(rows, 1):
            if len(rows) > 1 and number == 1:  # the file is one array
                where = f"{path}, row {at}"
            if isinstance(row, dict):
                yield where, row
            elif broken is None:
                raise DataError(f"{where}: not a JSON object but a {type(row).__name__}: {remedy}")
            else:
                broken(where, "not a JSON object")


def _array(path: Path, number: int, text: str, remedy: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a file that is one array, which begins on the line ``number``."""
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}, line {number - 1 + error.lineno}"
        raise DataError(f"{where}: not JSON ({error.msg}): {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: not JSON ({error}): {remedy}") from error
    for at, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, row {at}: not a JSON object but a {type(row).__name__}: {remedy}"
            )
        yield f"{path}, row {at}", row


def _parsed(line: str) -> Any:
    """Return what a line says, alone or as a line of an array."""
    try:
        return json.loads(line)
    except ValueError:
        element = line.strip().lstrip("[, ").rstrip("], ")
        if element == line.strip() or (not element and line.strip() not in "[]"):
            raise
        return json.loads(element) if element else []


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
