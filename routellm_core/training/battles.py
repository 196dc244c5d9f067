"""Read training data: preference battles, and gold labels (whether each model was right).

A row of battles is ``{"prompt", "model_a", "model_b"}`` with either ``"winner"`` (``model_a``,
``model_b`` or ``tie``) or ``"p_a"``, the probability in [0, 1] that a's answer is better. A row of
gold is ``{"prompt", "task", "correct": {model: quality in [0, 1]}}``. Further columns are
ignored. Files are JSON lines in UTF-8, plain or gzip.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DataError

_WINNERS = {"model_a": 1.0, "tie": 0.5, "model_b": 0.0}


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
    return _read(path, _gold)


def read_prompts(path: Path) -> list[str]:
    """Read the prompts of rows of any kind.

    Raises:
        DataError: the file cannot be read or a row is wrong; names file, line and remedy.
    """
    return _read(path, lambda row: _text(row, "prompt"))


def source_name(path: Path) -> str:
    """Return what a file is called in a configuration: its name up to the first dot."""
    return path.name.split(".")[0]


def is_validation(prompt: str, share: float) -> bool:
    """Return whether a prompt is held out: the same answer always, for ``share`` of prompts."""
    digest = hashlib.sha256(b"validation:" + prompt.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


Row = TypeVar("Row")


def _read(path: Path, parse: Callable[[Any], Row]) -> list[Row]:
    rows = []
    for number, line in _lines(path):
        try:
            rows.append(parse(json.loads(line)))
        except (ValueError, _WrongRowError) as error:
            raise DataError(f"{path}, line {number}: {error}") from error
    if not rows:
        raise DataError(f"{path} holds no rows: give a file of JSON lines")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}): it must be JSON lines in UTF-8, plain or gzip"
        ) from error


class _WrongRowError(Exception):
    """Says what is wrong with a row; the file and line are added above."""


def _battle(row: Any) -> Battle:
    prompt, model_a, model_b = (_text(row, key) for key in ("prompt", "model_a", "model_b"))
    if model_a == model_b:
        raise _WrongRowError(f"'{model_a}' is compared with itself: leave the row out")
    if "p_a" in row:
        return Battle(prompt, model_a, model_b, _unit(row["p_a"], "p_a"))
    if row.get("winner") not in _WINNERS:
        raise _WrongRowError(
            f"'winner' is {row.get('winner')!r}: write model_a, model_b or tie, "
            "or give 'p_a' in [0, 1] instead"
        )
    return Battle(prompt, model_a, model_b, _WINNERS[row["winner"]])


def _gold(row: Any) -> Gold:
    prompt, task = _text(row, "prompt"), _text(row, "task")
    correct = row.get("correct")
    if not isinstance(correct, dict) or not correct:
        raise _WrongRowError("'correct' is missing: write {model: quality in [0, 1], ...}")
    qualities = {model: _unit(quality, model) for model, quality in correct.items()}
    return Gold(prompt, task, qualities)


def _text(row: Any, key: str) -> str:
    if not isinstance(row, dict):
        raise _WrongRowError(f"it is no object: write {{{key!r}: ..., ...}}")
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise _WrongRowError(f"'{key}' is {value!r}: write a text that is not empty")
    return value


def _unit(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise _WrongRowError(f"'{name}' is {value!r}: write a number in [0, 1]")
    return float(value)
