"""Read training data: preference battles, and gold labels (whether each model was right).

A row of battles is ``{"prompt", "model_a", "model_b"}`` with either ``"winner"`` (``model_a``,
``model_b`` or ``tie``) or ``"p_a"``, the probability in [0, 1] that a's answer is better. A row of
gold is ``{"prompt", "correct": {model: quality in [0, 1]}}``; a model whose quality is null was not
measured. ``task`` is optional; without it, the source is the task. In place of ``correct`` it may
have ``strong`` and ``weak``, which are then the models' names. Further columns are ignored. Files
are as in ``tables.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError
from .json_rows import shown
from .tables import table_rows

_WINNERS = {"model_a": 1.0, "tie": 0.5, "tie (bothbad)": 0.5, "model_b": 0.0}
"""The words of Chatbot Arena."""

_PAIR = frozenset(("strong", "weak"))
_GRADES = frozenset(("correct", *_PAIR))
"""Columns of gold, one of which a row has."""

_REMEDY = "give JSON lines, a JSON array or CSV, plain or gzip, or parquet"


@dataclass(frozen=True)
class Battle:
    """Two models' answers to a prompt, compared."""

    prompt: str
    model_a: str
    model_b: str
    p_a: float
    """Probability that a's answer is better: 1, 0.5 or 0 for a vote."""


@dataclass(frozen=True)
class Gold:
    """How well models answered a prompt whose right answer is known."""

    prompt: str
    task: str
    correct: dict[str, float]
    """Quality of each model's answer, in [0, 1]."""


def read_battles(path: Path) -> list[Battle]:
    """Read preference battles.

    Raises:
        DataError: the file cannot be read or a row is wrong; names file, line and remedy.
    """
    return _read(path, _battle)


def read_gold(path: Path) -> list[Gold]:
    """Read gold labels.

    Raises:
        DataError: the file cannot be read or a row is wrong; names file, line and remedy.
    """
    return _read(path, lambda row: _gold(row, source_name(path)))


def read_prompts(path: Path) -> list[str]:
    """Read the prompts of rows of any kind.

    Raises:
        DataError: the file cannot be read or a row is wrong; names file, line and remedy.
    """
    return _read(path, lambda row: _text(row, "prompt"))


def source_name(path: Path) -> str:
    """Return what a file is called in a configuration: its name up to the first dot."""
    return path.name.split(".")[0]


def split_position(prompt: str) -> float:
    """Return where a prompt stands between 0 and 1 (not included), by its hash alone.

    The prompts below .1 are the tenth to validate on.
    """
    digest = hashlib.sha256(b"validation:" + prompt.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


Row = TypeVar("Row")


def _read(path: Path, parse: Callable[[Mapping[str, Any]], Row]) -> list[Row]:
    rows = []
    for where, row in table_rows(path, _REMEDY):
        try:
            rows.append(parse(row))
        except _WrongRowError as error:
            raise DataError(f"{where}: {error}") from error
    if not rows:
        raise DataError(f"{path} holds no rows: {_REMEDY}")
    return rows


class _WrongRowError(Exception):
    """Says what is wrong with a row; the file and line are added above."""


def _battle(row: Mapping[str, Any]) -> Battle:
    if "model_a" not in row and not _GRADES.isdisjoint(row):
        raise _WrongRowError("the row is a gold label, not a battle: give the file as gold")
    prompt, model_a, model_b = (_text(row, key) for key in ("prompt", "model_a", "model_b"))
    if model_a == model_b:
        raise _WrongRowError(f"'{model_a}' is compared with itself: leave the row out")
    if row.get("p_a") is not None:
        return Battle(prompt, model_a, model_b, _unit(row["p_a"], "p_a"))
    winner = row.get("winner")
    if not isinstance(winner, str) or winner not in _WINNERS:
        raise _WrongRowError(
            f"'winner' is {shown(winner)}: write model_a, model_b or tie, or give 'p_a' in [0, 1] "
            f"instead{_columns(row, 'winner')}"
        )
    return Battle(prompt, model_a, model_b, _WINNERS[winner])


def _gold(row: Mapping[str, Any], source: str) -> Gold:
    if "model_a" in row and _GRADES.isdisjoint(row):
        raise _WrongRowError("the row is a battle, not a gold label: give the file as battles")
    prompt = _text(row, "prompt")
    task = source if row.get("task") is None else _text(row, "task")
    correct = row.get("correct")
    if correct is None and not _PAIR.isdisjoint(row):
        correct = {model: row[model] for model in ("strong", "weak") if model in row}
    if not isinstance(correct, dict):
        raise _WrongRowError(
            f"'correct' is {shown(correct)}: write {{model: quality in [0, 1], ...}}"
            f"{_columns(row, 'correct')}"
        )
    qualities = {
        model: _unit(quality, model) for model, quality in correct.items() if quality is not None
    }
    if not qualities:
        raise _WrongRowError("'correct' has no model's quality: leave the row out")
    return Gold(prompt, task, qualities)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _WrongRowError(
            f"'{key}' is {shown(value)}: write a text that is not blank{_columns(row, key)}"
        )
    return value


def _columns(row: Mapping[str, Any], key: str) -> str:
    """Return what the row has, if a column is missing: perhaps it has another name there."""
    return "" if key in row else f"; the row has {', '.join(map(repr, row)) or 'no columns'}"


def _unit(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise _WrongRowError(f"'{name}' is {shown(value)}: write a number in [0, 1]")
    return float(value)
