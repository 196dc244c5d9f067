"""The requests of a route as columns of numbers, from the tables of a store or from logs.

Row by row, and 88 bytes a request are kept: a store may hold millions of them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...decision import Tier
from ...policy.exploration import TOGETHER_S
from ..exploration.estimate import Explored
from ..exploration.stored import stored_explored
from ..store.store import Store

Floats = NDArray[np.float64]

TIERS: tuple[Tier, ...] = ("strong", "weak")

_NUMBERS = (
    *("at", "score", "acted", "input_tokens", "cached_tokens", "warm_tokens", "output_tokens"),
    *("cost_usd", "conversation"),
)


@dataclass(frozen=True)
class Judged:
    """A request of which an answer, or both, have a score."""

    decided: Tier
    propensity: float
    served: Tier | None
    """Who gave the answer that the user got, if it is judged."""
    scores: dict[Tier, float]
    """By tier, in [0, 1]."""
    prompt: str | None = None
    """What tells requests of the same prompt; None within a conversation, or if it is not known."""


class Requests:
    """The requests of one route, oldest first.

    Args:
        route: its name.
        about: ``kept.About`` as a mapping; empty if it was never written.
        spent_usd: what its shadow calls have cost since the store was made.
        lost: records that could not be written.
    """

    def __init__(self, route: str, about: dict[str, Any], spent_usd: float, lost: int) -> None:
        self.route = route
        self.about = about
        self.spent_usd = spent_usd
        self.lost = lost
        self.sampled = 0
        self.causes: Counter[str] = Counter()
        self.shadow: Counter[str] = Counter()
        """How many shadow calls ended how: ``answered``, or why not."""
        self.lengths = (0, 0.0, 0.0)
        """Of how many requests both answers' lengths are known, and the tokens in those of the
        strong model and of the weak one."""
        self.judged: list[Judged] = []
        self.repeated: dict[tuple[str, Tier], float] = {}
        """What sampled requests weigh together, one over the propensity each, by the prompt that
        they share and who was decided for: of them, one may be judged for all."""
        self.explored: Explored | None = None
        """Those that were decided with exploration, if any."""
        self.router, self.threshold = "", np.nan
        """Of the last request."""
        self._columns = {name: array("d") for name in (*_NUMBERS, "decided", "served")}

    def __len__(self) -> int:
        return len(self._columns["at"])

    def column(self, name: str) -> Floats:
        """Return a number of each request; NaN where it is not known.

        Args:
            name: a column of the store; ``warm_tokens``, which a strong model for all would have
                read from its cache; or ``decided`` and ``served``: 1 for the strong model, 0 for
                the weak one.
        """
        return np.frombuffer(self._columns[name], np.float64)

    def units(self, which: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return the unit of each request, numbered from 0: those of a conversation are one.

        Where no conversation is named, as in a store, calls of the same score within an hour are
        taken for one: a follow-up and a step of an agent take the score of the turn that they
        refer to, and a job's prompt has one. Calls without a score or a time are units of their
        own.

        Args:
            which: of which requests; None: of all.
        """
        columns = [self.column(name) for name in ("conversation", "at", "score")]
        conversation, at, score = (each if which is None else each[which] for each in columns)
        alone = -1.0 - np.arange(len(at)) + 0j
        hours = np.where(np.isnan(at + score), alone, at // TOGETHER_S + 1j * score)
        named = -1.0 - 1j * (1 + conversation)  # apart from scores, which are not below 0
        _, found = np.unique(np.where(np.isnan(conversation), hours, named), return_inverse=True)
        return found.astype(np.int64)

    def add(self, row: dict[str, Any]) -> None:
        """Add a row of ``Store.served``, of which a log may know ``warm_tokens`` and a number of
        its ``conversation`` too.
        """
        row = {"warm_tokens": row["cached_tokens"], "conversation": None, **row}
        for name in _NUMBERS:
            self._columns[name].append(_number(row[name]))
        self._columns["decided"].append(float(row["decided"] == "strong"))
        self._columns["served"].append(_number({"strong": 1, "weak": 0}.get(row["tier"])))
        self.causes[str(row["cause"])] += 1
        self.sampled += row["sampled"]
        self.router, self.threshold = str(row["router"]), _number(row["threshold"])


def requests_of(store: Store, since: float = 0.0) -> list[Requests]:
    """Return the requests in a store at one moment, route by route, by name.

    Args:
        store: where they are kept.
        since: only those that came then or later, in seconds since 1970.
    """
    with store.at_once() as found:
        return _requests_of(found, since)


def _requests_of(store: Store, since: float) -> list[Requests]:
    found: dict[str, Requests] = {}
    known = {row["route"]: row for row in store.routes()}
    for row in store.served(since):
        name = row["route"]
        if name not in found:
            facts = known.get(name, {"about": {}, "spent_usd": 0.0, "lost": 0})
            found[name] = Requests(name, facts["about"], facts["spent_usd"], facts["lost"])
        found[name].add(row)

    for row in store.shadow_outcomes(since):
        found[row["route"]].shadow[row["error"] or "answered"] += row["n"]
    for row in store.lengths(since):
        found[row["route"]].lengths = row["n"], float(row["strong"]), float(row["weak"])
    judged: dict[str, tuple[str, Judged]] = {}
    for row in store.judged(since):
        prompt = row["prompt_sha256"] if row["turns"] == 1 else None
        scored = Judged(row["decided"], row["propensity"], None, {}, prompt)
        name, scored = judged.get(row["request_id"], (row["route"], scored))
        scored.scores[row["tier"]] = float(row["score"])
        served = scored.served if row["shadow"] else row["tier"]
        judged[row["request_id"]] = name, replace(scored, served=served)
    for name, scored in judged.values():
        found[name].judged.append(scored)
    for row in store.repeated(since):
        of = row["prompt_sha256"], row["decided"]
        found[row["route"]].repeated[of] = float(row["weight"])
    for route, explored in stored_explored(store, since).items():
        found[route].explored = explored
    return [found[name] for name in sorted(found)]


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
