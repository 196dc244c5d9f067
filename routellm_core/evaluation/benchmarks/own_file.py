"""Read a benchmark of one's own: JSON lines, a query each, judged on both models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...data.json_rows import Row, json_objects, number, shown
from ...errors import DataError

EXAMPLE = '{"prompt": "Why is the sky blue?", "strong": 0.9, "weak": 0.4}'

_REMEDY = f"write a line per query, like {EXAMPLE}"
_QUALITY = "the quality of that model's answer as a number, like 0.9"
_COST = "the cost of that model's answer as a number, 0 or more"


def read_own(path: Path) -> Iterator[Row]:
    """Yield the rows of a file.

    Columns: ``prompt``; ``strong`` and ``weak``, the quality of each model's answer on any scale
    on which more is better; optionally ``strong_cost`` and ``weak_cost``, in any one unit; and
    optionally ``group``, which rows that are not independent have in common. A prompt may occur
    again within its group only.

    Raises:
        DataError: the file or a row of it is wrong; the message names file and row.
    """
    seen: dict[str, tuple[str, str | None]] = {}
    first: str | None = None
    costs_on_first = False
    for where, row in json_objects(path, _REMEDY):
        prompt = row.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise DataError(f"{where}: 'prompt' is {shown(prompt)}: {_REMEDY}")
        strong, weak = (number(where, row, column, _QUALITY) for column in ("strong", "weak"))
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


def _unit(where: str, row: dict[str, Any]) -> str | None:
    group = row.get("group")
    if group is None:
        return None
    if isinstance(group, bool) or not isinstance(group, (str, int)) or group == "":
        raise DataError(f"{where}: 'group' is {shown(group)}: write a name, or leave it out")
    return str(group)


def _costs(where: str, row: dict[str, Any]) -> tuple[float, float] | None:
    columns = ("strong_cost", "weak_cost")
    if not any(column in row for column in columns):
        return None
    strong, weak = (number(where, row, column, _COST) for column in columns)
    for column, cost in zip(columns, (strong, weak), strict=True):
        if cost < 0:
            raise DataError(f"{where}: '{column}' is {cost:g}: write {_COST}")
    return strong, weak
