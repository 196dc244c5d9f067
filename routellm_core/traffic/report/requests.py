"""The requests of a route as arrays, put together from the tables of a store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...decision import Tier
from ..store.store import Store

Floats = NDArray[np.float64]

TIERS: tuple[Tier, ...] = ("strong", "weak")


@dataclass
class Requests:
    """The requests of one route, oldest first."""

    route: str
    about: dict[str, Any]
    spent_usd: float
    """What its shadow calls have cost since the store was made."""
    lost: int
    """Records that could not be written."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of the table of requests."""
    answers: list[dict[Tier, dict[str, Any]]] = field(default_factory=list)
    """By tier, to each request."""
    scores: list[dict[Tier, float]] = field(default_factory=list)
    """By tier, the mean feedback on each answer that has any."""

    def column(self, name: str) -> Floats:
        """Return a number of each request; NaN where there is none."""
        return np.array([_number(row[name]) for row in self.rows], np.float64)

    def served(self) -> list[Tier | None]:
        """Return which tier answered the user."""
        return [
            next((tier for tier in TIERS if tier in each and not each[tier]["shadow"]), None)
            for each in self.answers
        ]

    def of_served(self, name: str) -> Floats:
        """Return a number of the answer that the user got; NaN where there is none."""
        pairs = zip(self.answers, self.served(), strict=True)
        return np.array([_number(each[tier][name]) if tier else np.nan for each, tier in pairs])

    def of_tier(self, tier: Tier, name: str) -> Floats:
        """Return a number of a tier's answer to each request; NaN where there is none."""
        return np.array(
            [_number(each[tier][name]) if tier in each else np.nan for each in self.answers]
        )

    def feedback(self, tier: Tier) -> Floats:
        """Return the score of a tier's answer to each request; NaN where there is none."""
        return np.array([each.get(tier, np.nan) for each in self.scores], np.float64)

    def shadow_outcomes(self) -> Counter[str]:
        """Return how many shadow calls ended how: ``answered``, or why not."""
        return Counter(
            answer["error"] or "answered"
            for each in self.answers
            for answer in each.values()
            if answer["shadow"]
        )


def requests_of(store: Store) -> list[Requests]:
    """Return the requests in a store, route by route, by name."""
    routes: dict[str, Requests] = {}
    known = {row["route"]: row for row in store.routes()}
    places: dict[str, tuple[Requests, int]] = {}
    for row in store.requests():
        name = row["route"]
        if name not in routes:
            facts = known.get(name, {"about": {}, "spent_usd": 0.0, "lost": 0})
            routes[name] = Requests(name, facts["about"], facts["spent_usd"], facts["lost"])
        route = routes[name]
        places[row["request_id"]] = route, len(route.rows)
        route.rows.append(row)
        route.answers.append({})
        route.scores.append({})
    for row in store.answers():
        if row["request_id"] in places:
            route, at = places[row["request_id"]]
            route.answers[at][row["tier"]] = row
    for row in store.feedback():
        if row["request_id"] in places:
            route, at = places[row["request_id"]]
            route.scores[at][row["tier"]] = float(row["score"])
    return [routes[name] for name in sorted(routes)]


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
