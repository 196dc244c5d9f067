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

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...data.logs.call_forms import LoggedCall, calls_in
from ...data.logs.calls import REMEDY, Skipped
from ...data.logs.decided_rows import rows_in
from ...data.logs.logged_decisions import logged_decision, number, request_id_of
from ...data.tables import table_rows
from ...errors import DataError
from ..store.store import Store
from .labels import Labels

_NO_VOTE = "no vote on its answer"
_ONE_SIDED = (
    "a vote on one answer, which says nothing of the other model: it was not drawn by `explore`"
)
_NO_TEXT = "no prompt: a store keeps the texts of sampled requests alone (`sample`, `texts`)"
_SCORED = ("score", "exploration")
"""Causes of decisions that were made by the text of the call itself."""
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
    rows = (row for path in paths for row in table_rows(path, REMEDY, skipped.note))
    calls = ((where, each) for where, row in rows for each in rows_in(row))
    return _labels(((where, _vote(each, votes)) for where, each in calls), skipped)


def read_stored_votes(
    store: Store, votes: Mapping[str, float], skipped: Skipped, route: str | None = None
) -> Labels:
    """Return the labels that the feedback in a store makes, of its calls that were decided with
    exploration and whose prompt it keeps. Of a call of which both answers have a score, these are
    the label.

    Args:
        store: what shadow mode kept.
        votes: further scores, as ``read_votes`` takes them.
        skipped: is told of the other calls.
        route: whose calls; None: of the only one that has some.

    Raises:
        DataError: none is a label, there is no such route, or there are several and none is named.
    """
    rows = enumerate(_of_route(store, route), 1)
    return _labels(((f"call {n}", _stored_vote(row, votes)) for n, row in rows), skipped)


def _of_route(store: Store, route: str | None) -> Iterator[dict[str, Any]]:
    names: dict[str, None] = {}
    for row in store.explored():
        names[row["route"]] = None
        if route is None and len(names) > 1:  # each may have models of its own
            raise DataError(f"the store {store.name} has several routes: name one of {_all(names)}")
        if route in (None, row["route"]):
            yield row
    if names and route not in (None, *names):
        raise DataError(f"the store {store.name} has calls with exploration of {_all(names)} alone")


def _all(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_Vote = tuple[str, float, float]
"""Prompt, gain and propensity."""


def _labels(found_at: Iterable[tuple[str, _Vote | str]], skipped: Skipped) -> Labels:
    """Return the labels of votes, each with where it was found, or why it is none."""
    found: dict[str, list[tuple[float, float]]] = {}
    for where, vote in found_at:
        if isinstance(vote, str):
            skipped.note(where, vote)
        else:
            prompt, gain, propensity = vote
            found.setdefault(prompt, []).append((gain, propensity))
    if not found:
        raise DataError(
            f"no vote is of a call that `explore` drew, so none is a label "
            f"({'; '.join(skipped.lines()) or 'there is no such call'}): set explore: 0.1 where "
            "you route, or judge both answers with `routellm label`"
        )
    # The least propensity bounds what one vote counts; it is the config's, not the votes'.
    every = [propensity for votes_of in found.values() for _, propensity in votes_of]
    unit = 2 * min(min(each, 1 - each) for each in every)
    gains = np.array([np.mean([gain for gain, _ in votes_of]) for votes_of in found.values()])
    scaled = np.clip(gains * unit, -1.0, 1.0)
    return Labels(list(found), np.maximum(scaled, 0), np.maximum(-scaled, 0), None, unit)


def _stored_vote(row: Mapping[str, Any], votes: Mapping[str, float]) -> _Vote | str:
    """Return prompt, gain and propensity of a row of ``Store.explored``, or why it is no label."""
    vote = votes.get(row["request_id"], votes.get(row["answer_id"], row["judged"]))
    if vote is None or not 0 <= vote <= 1:
        return _NO_VOTE
    if row["cause"] not in _SCORED:
        return _UNSCORED
    if not row["prompt"]:
        return _NO_TEXT
    scores = {"strong": row["strong"], "weak": row["weak"], row["decided"]: vote}
    if None not in scores.values():
        return row["prompt"], float(scores["strong"] - scores["weak"]), row["propensity"]
    return row["prompt"], _gain(row["decided"], vote, row["propensity"]), row["propensity"]


def _gain(tier: object, score: float, propensity: float) -> float:
    return (1 if tier == "strong" else -1) * (2 * score - 1) / (2 * propensity)


def _vote(row: Mapping[str, Any], votes: Mapping[str, float]) -> _Vote | str:
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
    if decision.get("cause") not in _SCORED:
        return _UNSCORED
    call = next(calls_in(row), "no prompt")
    if not isinstance(call, LoggedCall):
        return call
    return call.turns[-1], _gain(decision.get("tier"), score, propensity), propensity
