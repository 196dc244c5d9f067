"""Read a benchmark from a user's file: each row is a query with the quality of both answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.calls import Skipped
from ...data.json_rows import Row, number, shown
from ...data.tables import table_rows
from ...errors import DataError, did_you_mean

EXAMPLE = '{"prompt": "Why is the sky blue?", "strong": 0.9, "weak": 0.4}'

Models = tuple[str | None, str | None]
"""Names of the strong and of the weak model."""

_REMEDY = f"write a row per query, like {EXAMPLE}"
_QUALITY = "the quality of that model's answer as a number, like 0.9"
_COST = "the cost of that model's answer as a number, 0 or more"


def read_own(path: Path, models: Models, skipped: Skipped) -> Iterator[Row]:
    """Yield the rows of a file in which both models were measured.

    Columns: ``prompt``; ``strong`` and ``weak``, the quality of each model's answer on any scale
    where more is better, or ``correct``, an object of qualities by model; optionally
    ``strong_cost`` and ``weak_cost``, both in the same unit; and optionally ``group``, an
    identifier shared by dependent rows. A prompt may be repeated only within its group.

    Args:
        path: JSON lines, CSV or parquet, as read by ``tables.py``.
        models: names of the strong and the weak model in ``correct``; not needed otherwise.
        skipped: counts rows in which ``correct`` lacks one of the two.

    Raises:
        DataError: the file or a row is invalid; the message names file and row.
    """
    seen: dict[str, tuple[str, str | None]] = {}
    known: dict[str, None] = {}
    first: str | None = None
    costs_on_first = False
    for where, row in table_rows(path, _REMEDY):
        prompt = row.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise DataError(f"{where}: 'prompt' is {shown(prompt)}: {_REMEDY}")
        found = _qualities(where, row, models, known)
        if found is None:
            skipped.note(where, "not both models were measured")
            continue
        strong, weak = found
        unit = _unit(where, row)
        costs = _costs(where, row)
        if first is None:
            first, costs_on_first = where, costs is not None
        elif costs_on_first != (costs is not None):
            raise DataError(
                f"{where}: give 'strong_cost' and 'weak_cost' in every line or in none; "
                f"{first} has {'them' if costs_on_first else 'none'}"
            )
        before, its_unit = seen.setdefault(prompt, (where, unit))
        if before != where and (unit is None or unit != its_unit):
            raise DataError(
                f"{where}: the same prompt as {before}: keep one line with the mean quality, or "
                "give both the same 'group'"
            )
        yield Row(prompt, strong, weak, unit or "", unit, costs)
    absent = next((name for name in models if name and known and name not in known), None)
    if first is None and absent is not None:
        raise DataError(f"{path} has no labels of model '{absent}': {did_you_mean(absent, known)}")


def _qualities(
    where: str, row: dict[str, Any], models: Models, known: dict[str, None]
) -> tuple[float, float] | None:
    """Return both qualities, None if ``correct`` lacks one; ``known`` gets the models it names."""
    correct = row.get("correct")
    has_both = row.get("strong") is not None and row.get("weak") is not None
    if correct is None or (None in models and has_both):
        strong, weak = (number(where, row, column, _QUALITY) for column in ("strong", "weak"))
        return strong, weak
    if not isinstance(correct, dict):
        raise DataError(f"{where}: 'correct' is {shown(correct)}: write {{model: quality, ...}}")
    known.update(dict.fromkeys(correct))
    named = [model for model in models if model is not None]
    if len(named) < len(models):
        raise DataError(
            f"{where}: 'correct' has labels of {', '.join(list(correct)[:6]) or 'no model'}: say "
            "which are the two with --strong-model and --weak-model"
        )
    if any(correct.get(model) is None for model in named):
        return None
    strong, weak = (number(where, correct, model, _QUALITY) for model in named)
    return strong, weak


def _unit(where: str, row: dict[str, Any]) -> str | None:
    group = row.get("group")
    if group is None:
        return None
    if isinstance(group, bool) or not isinstance(group, (str, int)) or group == "":
        raise DataError(f"{where}: 'group' is {shown(group)}: write a name, or leave it out")
    return str(group)


def _costs(where: str, row: dict[str, Any]) -> tuple[float, float] | None:
    columns = ("strong_cost", "weak_cost")
    if all(row.get(column) is None for column in columns):
        return None
    strong, weak = (number(where, row, column, _COST) for column in columns)
    for column, cost in zip(columns, (strong, weak), strict=True):
        if cost < 0:
            raise DataError(f"{where}: '{column}' is {cost:g}: write {_COST}")
    return strong, weak
