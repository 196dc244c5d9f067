"""Decisions with exploration, and judgements of answers, as they are logged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...data.logs.call_facts import counts_of, seconds
from ...data.logs.calls import Skipped
from ...data.logs.decided_rows import rows_in
from ...data.logs.logged_decisions import has_failed, logged_decision, plain, request_id_of
from ...data.logs.logged_ids import AGAIN, SeenIds
from ...data.tables import table_rows
from ...errors import DataError
from ..store.feedback_file import read_feedback
from .estimate import Explored, number_of_draw

_REMEDY = 'write a JSON object a line, such as {"request_id": "chatcmpl-1", "score": 1}'
_NOT_SCORED = "no decision by a score"
_NOT_EXPLORED = "a decision without exploration"
_NO_DECISION = "no decision of a router"
_FAILED = "a call that failed"


def read_judgements(path: Path) -> dict[str, float]:
    """Return the judgements of answers that users got, by the id of their request; of several the
    last.

    Args:
        path: as ``read_feedback`` takes it.

    Raises:
        DataError: the file cannot be read, or a row of it is none.
    """
    return {each.request_id: each.score for each in read_feedback(path) if each.tier is None}


def read_explored(
    paths: Iterable[Path], judgements: Mapping[str, float], skipped: Skipped
) -> Explored:
    """Return the calls of logs that were decided with exploration, in the order of their times.

    Args:
        paths: LiteLLM's spend logs, or rows with the values of a decision's metadata, alone or
            under ``routellm``; beside them may be ``request_id``, a time, ``prompt_tokens``,
            ``completion_tokens``, and ``quality``.
        judgements: by request id, in place of ``quality``.
        skipped: is told of other rows.

    Raises:
        DataError: a file cannot be read, or none has such a call.
    """
    rows: list[tuple[float, ...]] = []
    ids = SeenIds()
    for path in paths:
        for where, row in table_rows(path, _REMEDY, skipped.note):
            for each in rows_in(row):
                found = AGAIN if ids.has(each) else _row(each, judgements)
                if isinstance(found, str):
                    skipped.note(where, found)
                else:
                    rows.append(found)
    if not rows:
        reasons = "; ".join(skipped.lines()) or "the logs are empty"
        raise DataError(
            f"no call was decided with exploration ({reasons}): set explore: 0.01 where you route"
        )
    columns = np.array(rows)
    # Without a time, in the order of the logs.
    columns = columns[np.argsort(columns[:, 0], kind="stable")]
    at, scores, chosen, went, *others = columns.T
    return Explored(at, scores, chosen.astype(bool), went.astype(bool), *others)


def _row(row: Mapping[str, Any], judgements: Mapping[str, float]) -> tuple[float, ...] | str:
    decision = logged_decision(row)
    if decision is None:
        return _NO_DECISION
    if has_failed(row):
        return _FAILED
    score, threshold = plain(decision.get("score")), plain(decision.get("threshold"))
    propensity = plain(decision.get("propensity"))
    if not (isinstance(score, float) and isinstance(threshold, float)):
        return _NOT_SCORED
    if not (isinstance(propensity, float) and 0 < propensity < 1):
        return _NOT_EXPLORED
    quality = judgements.get(request_id_of(row), plain(row.get("quality")))
    times = (seconds(row.get(each)) for each in ("startTime", "start_time", "timestamp"))
    counts = counts_of(row.get("prompt_tokens"), row.get("completion_tokens"))
    return (
        next((each for each in times if each is not None), 0.0),
        *(score, score >= threshold, decision.get("tier") == "strong", propensity),
        quality if isinstance(quality, float) and 0 <= quality <= 1 else math.nan,
        *(math.nan if each is None else float(each) for each in counts),
        number_of_draw(decision.get("draw")),
    )
