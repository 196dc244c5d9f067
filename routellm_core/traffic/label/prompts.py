"""Read the prompts that are to be labelled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...data.call_forms import calls_in
from ...data.calls import REMEDY, Skipped
from ...data.tables import table_rows
from ...errors import DataError

_FOLLOW_UP = "a follow-up, which cannot be asked again without the answers before it"


@dataclass(frozen=True)
class Prompt:
    """What a human asked."""

    text: str
    answer: str | None = None
    """The right answer, where the file has a column ``answer``."""


def read_prompts(path: Path, skipped: Skipped) -> list[Prompt]:
    """Return the prompts of a file, each once, in its order.

    Args:
        path: prompts or logs of calls, in any form that ``read_calls`` takes.
        skipped: is told of rows that cannot be labelled.

    Raises:
        DataError: the file cannot be read, or holds no prompt.
    """
    found: dict[str, Prompt] = {}
    for where, row in table_rows(path, REMEDY):
        answer = row.get("answer")
        for call in calls_in(row):
            if isinstance(call, str):
                skipped.note(where, call)
            elif len(call.turns) > 1:
                skipped.note(where, _FOLLOW_UP)
            else:
                right = None if answer is None else str(answer)
                found.setdefault(call.turns[0], Prompt(call.turns[0], right))
    if not found:
        reasons = "; ".join(skipped.lines())
        raise DataError(f"{path} holds no prompt to label: {reasons or REMEDY}")
    return list(found.values())
