"""Read feedback from JSON lines, CSV or parquet: ``{"request_id", "score"}``, or evaluations of
OpenTelemetry (``gen_ai.evaluation.result``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...data.json_rows import number, shown
from ...data.tables import table_rows
from ...errors import DataError
from .kept import Feedback

REMEDY = 'write a line for each answer, such as {"request_id": "...", "score": 1}'
_SCORE = "a number in [0, 1], 1 for the best"
_RESPONSE, _VALUE = "gen_ai.response.id", "gen_ai.evaluation.score.value"


def read_feedback(path: Path) -> Iterator[Feedback]:
    """Yield the scores in a file.

    A row has ``request_id``, ``score``, and perhaps ``tier`` (``strong`` or ``weak``, whose answer
    is meant; else it is the user's) and ``name`` (who judged). Of OpenTelemetry's evaluations the
    response's id is the request's.

    Raises:
        DataError: it cannot be read, or a row is wrong; the message names the line.
    """
    for where, row in table_rows(path, REMEDY):
        given = _evaluation(row) or row
        request_id, tier = given.get("request_id"), given.get("tier")
        if not isinstance(request_id, str) or not request_id:
            raise DataError(f"{where}: 'request_id' is {shown(request_id)}: {REMEDY}")
        score = number(where, dict(given), "score", _SCORE)
        if not 0.0 <= score <= 1.0:
            raise DataError(f"{where}: 'score' is {shown(score)}: write {_SCORE}")
        if tier not in (None, "strong", "weak"):
            raise DataError(
                f"{where}: 'tier' is {shown(tier)}: write strong or weak, or leave it out"
            )
        yield Feedback(request_id, score, tier, str(given.get("name") or "feedback"))


def _evaluation(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an evaluation of OpenTelemetry's in the plain form; None for other rows."""
    attributes = row.get("attributes")
    if not isinstance(attributes, Mapping) or _VALUE not in attributes:
        return None
    name = attributes.get("gen_ai.evaluation.name")
    return {"request_id": attributes.get(_RESPONSE), "score": attributes[_VALUE], "name": name}
