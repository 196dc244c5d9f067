"""Read calls of language models from whatever a team has logged them in, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError
from ..json_rows import NOT_JSON
from ..tables import table_rows
from .call_forms import LoggedCall, SeenSpans, calls_in

REMEDY = (
    'write a JSON object a line, such as {"prompt": "Why is the sky blue?"} '
    "(of a list, jq -c '.[]' makes lines)"
)

_ROWS = 5
"""How many rows are named for each reason."""


class Skipped:
    """Rows that could not be read: how many, and the first of them, by reason. Never their
    text.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    @property
    def total(self) -> int:
        """How many calls were skipped."""
        return sum(self._counts.values())

    def note(self, where: str, why: str) -> None:
        """Count a row, or a call in it."""
        self._counts[why] = self._counts.get(why, 0) + 1
        rows = self._rows.setdefault(why, [])
        if len(rows) < _ROWS:
            rows.append(where)

    def of(self, why: str) -> int:
        """Return how many calls were skipped for a reason."""
        return self._counts.get(why, 0)

    def lines(self) -> list[str]:
        """Return a line for each reason."""
        found = []
        for why, rows in self._rows.items():
            # "file, line 7": a file is named once.
            places = [row.rpartition(" ") for row in rows]
            befores = [None, *(before for before, _, _ in places)]
            numbers = [
                place[2] if place[0] == before else row
                for row, place, before in zip(rows, places, befores, strict=False)
            ]
            more = self._counts[why] - len(rows)
            named = ", ".join(numbers) + (f" and {more:,} more" if more else "")
            found.append(f"skipped {self._counts[why]:,}: {why} ({named})")
        return found


def read_calls(
    path: Path, skipped: Skipped, *, lenient: bool = False, seen: SeenSpans | None = None
) -> Iterator[LoggedCall]:
    """Yield the calls of a file, of which each row may have a form of its own.

    Forms: ``{"prompt"}``; OpenAI's chat ``{"messages"}``; exports of LiteLLM's spend logs with
    stored prompts, and what its callbacks log; OpenTelemetry's spans of generative AI and
    OpenInference's, alone or as OTLP in JSON; Phoenix's data frames and what its API answers;
    Langfuse's observations, alone, of a trace, or as its API answers with them.

    Args:
        path: JSON lines or CSV in UTF-8, plain or gzip, or parquet.
        skipped: is told of what has no text of a human.
        lenient: whether a line that is broken, or in another encoding, is skipped and told too,
            and no error.
        seen: the calls of other files, which are not yielded again.

    Raises:
        DataError: the file cannot be read, a line of it is no JSON, or no row of it is a call.
        MissingExtraError: it is parquet, and pyarrow is not installed.
    """
    found, spans = False, SeenSpans() if seen is None else seen
    for where, row in table_rows(path, REMEDY, skipped.note if lenient else None):
        for call in calls_in(row, spans):
            if isinstance(call, str):
                skipped.note(where, call)
            else:
                found = True
                yield call
    if not found:
        reasons = skipped.lines()
        if not reasons or skipped.of(NOT_JSON):  # such as an array that is indented
            reasons.append(REMEDY)
        raise DataError(f"{path} holds no prompts: {'; '.join(reasons)}")
