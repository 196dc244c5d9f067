"""Read feedback from JSON lines, CSV or parquet: ``{"request_id", "score"}``, evaluations of
OpenTelemetry (``gen_ai.evaluation.result``), or labels of `routellm label`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...data.json_rows import number, shown
from ...data.logs.telemetry import attributes_of
from ...data.tables import table_rows
from ...errors import DataError
from .kept import Feedback

REMEDY = 'write a line for each answer, such as {"request_id": "...", "score": 1}'
_SCORE = "a number in [0, 1], 1 for the best"
_TIERS = ("strong", "weak")
_EVALUATION = "gen_ai.evaluation."
_RESPONSE, _VALUE = "gen_ai.response.id", f"{_EVALUATION}score.value"
_IDS = ("request_id", "response_id", _RESPONSE, "id")
_LEVELS = {
    "resourceLogs": ("scopeLogs", "logRecords"),
    "resourceSpans": ("scopeSpans", "spans"),
}
"""What a line of OTLP nests its records in."""


def read_feedback(path: Path) -> Iterator[Feedback]:
    """Yield the scores in a file.

    A row has ``request_id`` (or ``response_id``, or ``id``), ``score``, and perhaps ``tier``
    (``strong`` or ``weak``, whose answer is meant; else it is the user's) and ``name`` (who
    judged). Of OpenTelemetry's evaluations the response's id is the request's; they are events or
    log records, also in lines of OTLP, where other records are passed over. A row of `routellm
    label` is a score of each model's answer.

    Raises:
        DataError: it cannot be read, or a row is wrong; the message names the line.
    """
    for where, row in table_rows(path, REMEDY):
        for each in _scores(row):
            yield _feedback(where, each)


def _scores(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a row holds, in the plain form."""
    level = next((each for each in _LEVELS if isinstance(row.get(each), list)), None)
    if level is not None:
        scopes, records = _LEVELS[level]
        for scope in _inside(row[level], scopes):
            for record in _inside([scope], records):
                given = attributes_of(record.get("attributes"))
                events = [each for each in _inside([record], "events") if _VALUE in _of(each)]
                # An event says of what answer it is, or its span does.
                yield from (_evaluation({**given, **_of(each)}) for each in events)
                if _VALUE in given:
                    yield _evaluation(given)
    elif _VALUE in row:
        yield _evaluation(row)
    elif _VALUE in _of(row):
        yield _evaluation({**row, **_of(row)})
    elif "score" not in row and all(tier in row for tier in _TIERS):
        who = {"request_id": row.get("request_id"), "name": row.get("judge")}
        yield from ({**who, "tier": tier, "score": row[tier]} for tier in _TIERS)
    else:
        yield row


def _of(row: Mapping[str, Any]) -> dict[str, Any]:
    return attributes_of(row.get("attributes"))


def _inside(rows: list[Any], name: str) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        inner = row.get(name) if isinstance(row, Mapping) else None
        yield from (
            (each for each in inner if isinstance(each, Mapping)) if isinstance(inner, list) else ()
        )


def _evaluation(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an evaluation of OpenTelemetry's in the plain form."""
    return {
        "request_id": attributes.get(_RESPONSE),
        "score": attributes[_VALUE],
        "name": attributes.get(f"{_EVALUATION}name"),
    }


def _feedback(where: str, given: Mapping[str, Any]) -> Feedback:
    found, tier = (given[each] for each in _IDS if given.get(each)), given.get("tier")
    request_id = next(found, None)
    if not isinstance(request_id, str) or not request_id:
        raise DataError(f"{where}: 'request_id' is {shown(request_id)}: {REMEDY}")
    score = number(where, dict(given), "score", _SCORE)
    if not 0.0 <= score <= 1.0:
        raise DataError(f"{where}: 'score' is {shown(score)}: write {_SCORE}")
    if tier not in (None, *_TIERS):
        raise DataError(f"{where}: 'tier' is {shown(tier)}: write strong or weak, or leave it out")
    return Feedback(request_id, score, tier, str(given.get("name") or "feedback"))
