"""Calls with exploration, and the scores of their answers, as a store keeps them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from ...errors import DataError
from ..store.store import Store
from .estimate import Explored, number_of_draw


def stored_explored(store: Store, since: float = 0.0) -> Mapping[str, Explored]:
    """Return the calls that were decided with exploration, by route, in the order in which they
    came.

    Args:
        store: what shadow mode kept.
        since: only those that came then or later, in seconds since 1970.
    """
    found: dict[str, array[float]] = {}
    for row in store.explored(since):
        score, threshold = row["score"], row["threshold"]
        if score is None or threshold is None or not 0 < row["propensity"] < 1:
            continue
        known = (row["judged"], row["input_tokens"], row["output_tokens"])
        found.setdefault(row["route"], array("d")).extend(
            (
                *(
                    row["at"],
                    score,
                    score >= threshold,
                    row["decided"] == "strong",
                    row["propensity"],
                ),
                *(np.nan if each is None else each for each in known),
                number_of_draw(row["draw"]),
            )
        )
    return {route: _explored(values) for route, values in found.items()}


def route_explored(store: Store, route: str | None) -> Explored:
    """Return the calls of one route that were decided with exploration.

    Args:
        store: what shadow mode kept.
        route: its name; None: the only one that has such calls.

    Raises:
        DataError: there is none, or no call of it, or there are several and none is named.
    """
    found = stored_explored(store)
    names = ", ".join(f"'{name}'" for name in sorted(found))
    if not found:
        raise DataError(
            f"the store {store.name} has no call that was decided with exploration: set "
            "explore: 0.01 beside `shadow`"
        )
    if route is None:
        if len(found) > 1:
            raise DataError(f"the store {store.name} has several routes: name one of {names}")
        return next(iter(found.values()))
    if route not in found:
        raise DataError(f"the store {store.name} has calls with exploration of {names} alone")
    return found[route]


def _explored(values: array[float]) -> Explored:
    at, scores, chosen, went, *others = np.frombuffer(values).reshape(-1, 9).T
    return Explored(at, scores, chosen.astype(bool), went.astype(bool), *others)
