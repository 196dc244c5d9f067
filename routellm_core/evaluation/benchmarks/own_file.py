"""Read a benchmark from a user's file: each row is a query with the quality of both answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from ...data.json_rows import Row, number, shown
from ...data.logs.calls import Skipped
from ...data.tables import table_rows
from ...errors import DataError, did_you_mean
from ..reliability import how_often_better

EXAMPLE = '{"prompt": "Why is the sky blue?", "strong": 0.9, "weak": 0.4}'

Models = tuple[str | None, str | None]
"""Names of the strong and of the weak model."""

_REMEDY = f"write a row per query, like {EXAMPLE}"
_QUALITY = "the quality of that model's answer as a number, like 0.9"
_COST = "the cost of that model's answer as a number, 0 or more"

_NOT_BOTH = "not both models were measured"


@dataclass
class _Query:
    """All rows of a prompt."""

    where: str
    """The first of them."""
    unit: str | None
    strong: list[float] = field(default_factory=list)
    weak: list[float] = field(default_factory=list)
    costs: list[tuple[float, float]] = field(default_factory=list)

    def row(self, prompt: str) -> Row:
        """Return their mean."""
        strong_cost, weak_cost = zip(*self.costs, strict=True) if self.costs else ((), ())
        return Row(
            prompt,
            fmean(self.strong),
            fmean(self.weak),
            self.unit or "",
            self.unit,
            (fmean(strong_cost), fmean(weak_cost)) if self.costs else None,
            how_often_better(self.strong, self.weak),
            max(len(self.strong), len(self.weak)) - 1,
        )


def read_own(path: Path, models: Models, skipped: Skipped) -> Iterator[Row]:
    """Yield the queries of a file on which both models were measured.

    Columns: ``prompt``; ``strong`` and ``weak``, the quality of each model's answer on any scale
    where more is better, or ``correct``, an object of qualities by model; optionally
    ``strong_cost`` and ``weak_cost``, both in the same unit; and optionally ``group``, an
    identifier shared by dependent rows. Rows with the same prompt are one query, with the means of
    their qualities and costs.

    Args:
        path: JSON lines, CSV or parquet, as read by ``tables.py``.
        models: names of the strong and the weak model in ``correct``; not needed otherwise.
        skipped: counts prompts of which ``correct`` lacks one of the two.

    Raises:
        DataError: the file or a row is invalid, or rows with the same prompt are in two groups; the
            message names file and row.
    """
    queries: dict[str, _Query] = {}
    known: dict[str, None] = {}
    first: str | None = None
    costs_on_first = False
    for where, row in table_rows(path, _REMEDY):
        prompt = row.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise DataError(f"{where}: 'prompt' is {shown(prompt)}: {_REMEDY}")
        unit = _unit(where, row)
        query = queries.setdefault(prompt, _Query(where, unit))
        if unit != query.unit:
            raise DataError(
                f"{where}: the same prompt as {query.where} in another 'group': give both the "
                "same, or neither one"
            )
        strong, weak = _qualities(where, row, models, known)
        if strong is None and weak is None:
            continue
        query.strong += [strong] if strong is not None else []
        query.weak += [weak] if weak is not None else []
        costs = _costs(where, row)
        if first is None:
            first, costs_on_first = where, costs is not None
        elif costs_on_first != (costs is not None):
            raise DataError(
                f"{where}: give 'strong_cost' and 'weak_cost' in every line or in none; "
                f"{first} has {'them' if costs_on_first else 'none'}"
            )
        query.costs += [costs] if costs else []
    judged = {prompt: query for prompt, query in queries.items() if query.strong and query.weak}
    for query in queries.values():
        if not (query.strong and query.weak):
            skipped.note(query.where, _NOT_BOTH)
    yield from (query.row(prompt) for prompt, query in judged.items())
    absent = next((name for name in models if name and known and name not in known), None)
    if not judged and absent is not None:
        raise DataError(f"{path} has no labels of model '{absent}': {did_you_mean(absent, known)}")


def _qualities(
    where: str, row: dict[str, Any], models: Models, known: dict[str, None]
) -> tuple[float | None, float | None]:
    """Return both qualities, None where ``correct`` lacks one; ``known`` gets the models it
    names.
    """
    correct = row.get("correct")
    has_both = row.get("strong") is not None and row.get("weak") is not None
    if correct is None and "model_a" in row and "strong" not in row:
        raise DataError(
            f"{where}: a battle, which does not say how good the two answers are: {_REMEDY}"
        )
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
    of_strong, of_weak = (
        None if correct.get(model) is None else number(where, correct, model, _QUALITY)
        for model in named
    )
    return of_strong, of_weak


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
