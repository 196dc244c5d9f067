"""Labels from votes on the answers that users got, such as thumbs.

A vote judges one answer of two. Where the model was drawn at random (``explore``) with a known
propensity p, a thumbs-up counts for the model that answered and a thumbs-down for the other one,
each 1 / p times: the mean of

    (2 score - 1) / (2 p) * (1 if the strong model answered, else -1)

is the mean quality of the strong model's answers less that of the weak one's, whatever decided
before (Horvitz and Thompson 1952, with the score counted from 1/2). Without a propensity a vote
says nothing of the other model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...data.call_forms import LoggedCall, calls_in
from ...data.calls import REMEDY, Skipped
from ...data.logged_decisions import logged_decision, number, request_id_of
from ...data.tables import table_rows
from ...errors import DataError
from .labels import Labels

_NO_VOTE = "no vote on its answer"
_ONE_SIDED = (
    "a vote on one answer, which says nothing of the other model: it was not drawn by `explore`"
)
_UNSCORED = "a decision that its own text did not make, such as a follow-up"


def read_votes(paths: Iterable[Path], votes: Mapping[str, float], skipped: Skipped) -> Labels:
    """Return the labels that votes make, of calls that were decided with exploration.

    Args:
        paths: logs with prompts and decisions: LiteLLM's spend logs, or rows with the metadata of
            decisions.
        votes: scores in [0, 1] of the answers that users got, by the id of the request; in place
            of a column ``quality``.
        skipped: is told of the other rows.

    Raises:
        DataError: a file cannot be read, or no vote is of a call decided with exploration.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for path in paths:
        for where, row in table_rows(path, REMEDY, skipped.note):
            vote = _vote(row, votes)
            if isinstance(vote, str):
                skipped.note(where, vote)
            else:
                prompt, gain, propensity = vote
                found.setdefault(prompt, []).append((gain, propensity))
    if not found:
        raise DataError(
            f"no vote is of a call that `explore` drew, so none is a label "
            f"({'; '.join(skipped.lines())}): set explore: 0.1 where you route, or judge both "
            "answers with `routellm label`"
        )
    # The least propensity bounds what one vote counts; it is the config's, not the votes'.
    every = [propensity for votes_of in found.values() for _, propensity in votes_of]
    unit = 2 * min(min(each, 1 - each) for each in every)
    gains = np.array([np.mean([gain for gain, _ in votes_of]) for votes_of in found.values()])
    scaled = np.clip(gains * unit, -1.0, 1.0)
    return Labels(list(found), np.maximum(scaled, 0), np.maximum(-scaled, 0), None, unit)


def _vote(row: Mapping[str, Any], votes: Mapping[str, float]) -> tuple[str, float, float] | str:
    """Return prompt, gain and propensity of a row, or why it is no label."""
    decision = logged_decision(row)
    if decision is None:
        return "no decision of a router"
    score = votes.get(request_id_of(row), number(row.get("quality")))
    if not 0 <= score <= 1:
        return _NO_VOTE
    propensity = number(decision.get("propensity"))
    if not 0 < propensity < 1:
        return _ONE_SIDED
    if decision.get("cause") not in ("score", "exploration"):
        return _UNSCORED
    call = next(calls_in(row), "no prompt")
    if not isinstance(call, LoggedCall):
        return call
    side = 1 if decision.get("tier") == "strong" else -1
    return call.turns[-1], side * (2 * score - 1) / (2 * propensity), propensity
