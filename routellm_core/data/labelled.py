"""Read labelled pairs: prompts, and how well the strong and the weak model answered each.

A row has ``prompt`` and either ``strong`` and ``weak``, the qualities, or ``correct``, qualities by
model; qualities lie in [0, 1]. ``strong_cost`` and ``weak_cost``, in dollars, are optional, in
every row or in none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, did_you_mean
from .json_rows import number, shown
from .logs.calls import Skipped
from .tables import table_rows

EXAMPLE = '{"prompt": "Why is the sky blue?", "strong": 1, "weak": 0}'

_REMEDY = f"write a row per prompt, like {EXAMPLE}"
_QUALITY = "the quality of that model's answer, in [0, 1]"
_COST = "what that model's answer cost in dollars, 0 or more"


@dataclass(frozen=True)
class Labelled:
    """A prompt and how well both models answered it."""

    prompt: str
    strong: float
    """Quality of the strong model's answer, in [0, 1]."""
    weak: float
    """Quality of the weak model's answer, in [0, 1]."""
    costs: tuple[float, float] | None
    """Of the strong and of the weak model's answer, in dollars."""


def read_labelled(
    path: Path, models: tuple[str | None, str | None], skipped: Skipped
) -> Iterator[Labelled]:
    """Yield the rows of a file in which both models were measured.

    Args:
        path: JSON lines, a JSON array or CSV, plain or gzip, or parquet.
        models: names of the strong and the weak model in ``correct``; not needed otherwise.
        skipped: is told of rows in which a model was not measured.

    Raises:
        DataError: the file or a row of it is wrong, two rows have the same ``group`` (such rows are
            not independent), or no row has both models.
    """
    groups: set[str] = set()
    known: dict[str, None] = {}
    first: tuple[str, bool] | None = None
    where = None
    for where, row in table_rows(path, _REMEDY):
        prompt = row.get("prompt")
        if prompt is None and "score" in row:
            raise DataError(
                f"{where}: a vote on one answer, and no label of two: give it as --votes to "
                "`routellm adapt`, with the logs of calls as --labels"
            )
        if not isinstance(prompt, str) or not prompt.strip():
            raise DataError(f"{where}: 'prompt' is not text, or blank: {_REMEDY}")
        _check_group(where, row.get("group"), groups)
        pair = _qualities(where, row, models, known)
        if pair is None:
            skipped.note(where, "not both models were measured")
            continue
        costs = _costs(where, row)
        first = first or (where, costs is not None)
        if first[1] != (costs is not None):
            raise DataError(
                f"{where}: give 'strong_cost' and 'weak_cost' in every row or in none; {first[0]} "
                f"has {'them' if first[1] else 'none'}"
            )
        yield Labelled(prompt, *pair, costs)
    if first is None:
        absent = next((name for name in models if name and known and name not in known), None)
        if absent:
            raise DataError(
                f"{path} has no labels of model '{absent}': {did_you_mean(absent, known)}"
            )
        what = "has no rows" if where is None else "has no row with labels of both models"
        raise DataError(f"{path} {what}: {_REMEDY}")


def _qualities(
    where: str,
    row: Mapping[str, Any],
    models: tuple[str | None, str | None],
    known: dict[str, None],
) -> tuple[float, float] | None:
    correct = row.get("correct")
    # Rows of `routellm label` have both, for those who train on `correct`.
    has_both = row.get("strong") is not None and row.get("weak") is not None
    if correct is None and "model_a" in row and "strong" not in row:
        raise DataError(
            f"{where}: a battle, which does not say how good the two answers are: {_REMEDY}"
        )
    if correct is None or (None in models and has_both):
        return _unit(where, row, "strong"), _unit(where, row, "weak")
    if not isinstance(correct, dict):
        raise DataError(f"{where}: 'correct' is {shown(correct)}: write {{model: quality, ...}}")
    known.update(dict.fromkeys(correct))
    strong, weak = models
    if strong is None or weak is None:
        raise DataError(
            f"{where}: 'correct' has labels of {', '.join(list(correct)[:6]) or 'no model'}: say "
            "which are the two with --strong-model and --weak-model"
        )
    if correct.get(strong) is None or correct.get(weak) is None:
        return None
    return _unit(where, correct, strong), _unit(where, correct, weak)


def _unit(where: str, row: Mapping[str, Any], column: str) -> float:
    value = number(where, dict(row), column, _QUALITY)
    if not 0 <= value <= 1:
        raise DataError(f"{where}: '{column}' is {value:g}: write {_QUALITY}")
    return value


def _costs(where: str, row: Mapping[str, Any]) -> tuple[float, float] | None:
    if row.get("strong_cost") is None and row.get("weak_cost") is None:
        return None
    strong, weak = (number(where, dict(row), key, _COST) for key in ("strong_cost", "weak_cost"))
    for key, cost in (("strong_cost", strong), ("weak_cost", weak)):
        if cost < 0:
            raise DataError(f"{where}: '{key}' is {cost:g}: write {_COST}")
    return strong, weak


def _check_group(where: str, group: object, seen: set[str]) -> None:
    if group is None:
        return
    if str(group) in seen:
        raise DataError(
            f"{where}: another row has the same 'group', and rows of a group are not independent: "
            "keep one of each group"
        )
    seen.add(str(group))
