"""Read tables of training data, JSON lines, CSV or parquet, row by row."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..optional import require
from .json_rows import Broken, json_objects, numbered_lines, raw_lines

_PARQUET = b"PAR1"
"""What a parquet file begins with."""

_SQLITE = b"SQLite format 3"
"""What a file of it begins with."""

_VALUES = frozenset(("p_a", "correct", "score", "strong", "weak", "strong_cost", "weak_cost"))
"""Columns of CSV that hold no text."""

_OF_MODEL = "correct."
"""What the name of a column of a model's qualities begins with."""

_OTHER_SEPARATORS = (";", "\t", "|")
"""What spreadsheets write in place of commas."""

_WORDS = {
    **{"True": "true", "False": "false", "TRUE": "true", "FALSE": "false"},
    **dict.fromkeys(("", "NaN", "nan", "NA", "N/A", "None", "NULL"), "null"),
}
"""How Python, R, pandas, databases and spreadsheets write what JSON has in small letters."""

_QUOTES = {
    "unexpected end of data": "a quote in this row is not closed, and all that follows is in it",
    "expected after": "a quote in this row is not closed, or a text has one that is not doubled",
}
"""What is wrong with a row, by what is in the error of Python's reader."""

_BATCH = 1024
_BUFFER = 1 << 20
_CELL = 1 << 26
"""Characters of a cell of CSV, at most: an agent's conversation has more than Python's default."""


def table_rows(
    path: Path, remedy: str, broken: Broken | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where a row is ("file, line 7", in parquet "file, row 7"), and the row. A row of CSV
    that has several lines is where it begins.

    Parquet is recognised by its first bytes, CSV by its name. In parquet a map is read as an
    object, as a struct is; what is absent is None. In CSV an empty cell is None, and scores,
    qualities and costs are numbers or truth values. In both, ``correct`` may be an object in
    JSON. Columns ``correct.MODEL`` are read as one such object, in which a quality that is NaN is
    None.

    Args:
        path: JSON lines, an array in JSON, or CSV with a head, in UTF-8, plain or gzip, or parquet.
        remedy: what to do about a file or a line that is neither.
        broken: is told of rows that cannot be read, which are then skipped; None: they are errors.

    Raises:
        DataError: it cannot be read.
        MissingExtraError: it is parquet, and pyarrow is not installed.
    """
    try:
        # A pipe, which is read once, holds lines.
        if path.is_file():
            with path.open("rb") as file:
                begin = file.read(len(_SQLITE))
            if begin.startswith(_PARQUET):
                return _parquet_rows(path)
            if begin == _SQLITE:
                raise DataError(
                    f"{path} is a database: if it is a store of shadow mode, `routellm store "
                    f"export {path} --out FILE` writes its rows"
                )
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    is_csv = path.name.lower().removesuffix(".gz").endswith(".csv")
    rows = _csv_rows if is_csv else json_objects
    return ((where, _one_object(row)) for where, row in rows(path, remedy, broken))


def count_rows(path: Path) -> int:
    """Return about how many rows a file has, for a progress bar; 0 if that cannot be told."""
    if not path.is_file():  # a pipe can be read once
        return 0
    try:
        with path.open("rb") as file:
            if file.read(len(_PARQUET)) == _PARQUET:
                parquet = require(
                    "pyarrow.parquet", "parquet", f"reading {path}, which is parquet,"
                )
                return int(parquet.read_metadata(path).num_rows)
        return sum(1 for _ in raw_lines(path, ""))
    except Exception:  # whoever reads the rows says what is wrong
        return 0


def _csv_rows(
    path: Path, remedy: str, broken: Broken | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    records = _csv_records(path, remedy, broken)
    names = [name.strip() for name in next(records, ("", []))[1]]
    other = next((each for each in _OTHER_SEPARATORS if each in "".join(names)), None)
    if other is not None and len(names) == 1:
        raise DataError(
            f"{path}, line 1: its columns are separated by {other!r}: separate them by commas"
        )
    again = next((name for name in names if name and names.count(name) > 1), None)
    if again is not None:
        raise DataError(
            f"{path}, line 1: two columns are called '{again}': rename or remove one (of pandas, "
            "index=False), or write the names of the columns first (of PostgreSQL, "
            "COPY ... WITH CSV HEADER)"
        )
    for where, texts in records:
        if len(texts) > len(names):
            if broken is None:
                raise DataError(f"{where}: more cells than columns: quote texts with commas")
            broken(where, "more cells than columns")
            continue
        yield (
            where,
            {
                column: _cell(text)
                if column in _VALUES or column.startswith(_OF_MODEL)
                else text or None
                for column, text in zip_longest(names, texts)
            },
        )


def _csv_records(path: Path, remedy: str, broken: Broken | None) -> Iterator[tuple[str, list[str]]]:
    """Yield where each record begins, and its cells; blank lines are none."""
    csv.field_size_limit(max(_CELL, csv.field_size_limit()))
    began: int | None = None

    def lines() -> Iterator[str]:
        nonlocal began
        for number, line in numbered_lines(path, remedy, broken):
            began = number if began is None else began
            yield line

    reader = csv.reader(lines(), strict=True)
    while True:
        began = None
        try:
            cells = next(reader, None)
        except csv.Error as error:
            where = f"{path}, line {began}"
            why = next((why for said, why in _QUOTES.items() if said in str(error)), None)
            what = remedy if why is None else "close each quote, and write those in a text twice"
            why = why or f"not CSV ({error})"
            if broken is None:
                raise DataError(f"{where}: {why}: {what}") from error
            broken(where, why)
            continue
        if cells is None:
            return
        if cells:
            yield f"{path}, line {began}", cells


def _one_object(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with the columns ``correct.MODEL`` as one object, ``correct``, and None for
    each quality in it that is NaN.
    """
    columns = {column for column in row if column.startswith(_OF_MODEL)}
    correct = row.get("correct")
    if not isinstance(correct, dict):
        if correct is not None or not columns:
            return row
        correct = {}
    own = {**correct, **{column.removeprefix(_OF_MODEL): row[column] for column in columns}}
    return {
        **{column: value for column, value in row.items() if column not in columns},
        "correct": {
            model: None if isinstance(quality, float) and math.isnan(quality) else quality
            for model, quality in own.items()
        },
    }


def _cell(text: str | None) -> Any:
    """Return what a cell holds in JSON, True and False also as ``_WORDS`` has them."""
    try:
        return json.loads(_WORDS.get(text or "", text or ""))
    except (ValueError, RecursionError):
        return text


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    arrow = require("pyarrow", "parquet", f"reading {path}, which is parquet,")
    parquet = require("pyarrow.parquet", "parquet", f"reading {path}, which is parquet,")
    number = 0
    try:
        # So that neither a large row group nor all of them are in memory as a whole.
        with parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            for batch in file.iter_batches(_BATCH):
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    if isinstance(row.get("correct"), str):
                        row["correct"] = _cell(row["correct"])
                    yield f"{path}, row {number}", _one_object(row)
    except (arrow.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}, after row {number}: damaged parquet ({error}): write the file again"
        ) from error
