"""The sampled requests of a store as rows that `routellm label`, `train` and `calibrate` read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .store import Store


def exported(store: Store, route: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a row for each sampled request that has its text, oldest first; of one route, if it is
    named.

    ``prompt``, ``task`` (the route) and ``messages``; ``answers``, their ``costs`` in dollars and
    ``models`` by tier;
    ``propensity``, ``score`` (of the router) and ``request_id``. If answers were judged, also
    ``correct``, by model, as gold labels have it.
    """
    judged: dict[str, dict[str, float]] = {}
    for row in store.feedback():
        judged.setdefault(row["request_id"], {})[row["tier"]] = float(row["score"])
    for request_id, rows in groupby(store.sampled(), key=lambda row: row["request_id"]):
        answers = list(rows)
        first = answers[0]
        if not first["prompt"] or route not in (None, first["route"]):
            continue
        scores = judged.get(request_id, {})
        models = {row["tier"]: row["model"] or row["tier"] for row in answers}
        row = {
            "request_id": request_id,
            "prompt": first["prompt"],
            "task": first["route"],
            "messages": json.loads(first["messages"] or "[]"),
            "answers": {row["tier"]: row["text"] for row in answers if row["text"] is not None},
            "costs": {row["tier"]: row["cost_usd"] for row in answers},
            "models": models,
            "propensity": first["propensity"],
            "score": first["score"],
        }
        if scores:
            row["correct"] = {
                models[tier]: score for tier, score in scores.items() if tier in models
            }
        yield row
