"""How requests and answers are written: statements of SQL, and the values of their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .kept import Answer, Messages, Request


def _put(table: str, key: Sequence[str], columns: Sequence[str]) -> str:
    """Return SQL that inserts a row, or writes its columns into the one that has its key."""
    names = (*key, *columns)
    values = ", ".join(f":{each}" for each in names)
    changed = ", ".join(f"{each} = excluded.{each}" for each in columns)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )


REQUESTS = _put(
    "requests",
    ("request_id",),
    (
        *("answer_id", "at", "route", "router", "score", "threshold", "cause", "decided", "acted"),
        *("turns", "sampled", "propensity", "prompt_sha256", "prompt", "messages"),
    ),
)
EXPLORED = """
    INSERT INTO explored (request_id, propensity) VALUES (:request_id, :explore)
    ON CONFLICT (request_id) DO UPDATE SET propensity = excluded.propensity"""
DRAWS = _put("draws", ("request_id",), ("draw",))
ANSWERS = _put(
    "answers",
    ("request_id", "tier"),
    (
        *("shadow", "model", "text", "text_sha256", "error", "input_tokens", "cached_tokens"),
        *("output_tokens", "cost_usd", "elapsed_ms"),
    ),
)
FEEDBACK = _put("feedback", ("request_id", "tier", "name"), ("score", "at"))
_ROUTE = "INSERT INTO routes (route, spent_usd, lost, about) VALUES "
ABOUT = f"{_ROUTE} (:route, 0, 0, :about) ON CONFLICT (route) DO UPDATE SET about = excluded.about"
CHARGE = (
    f"{_ROUTE} (:route, :usd, 0, '{{}}') "
    "ON CONFLICT (route) DO UPDATE SET spent_usd = routes.spent_usd + excluded.spent_usd"
)
LOST = (
    f"{_ROUTE} (:route, 0, :n, '{{}}') "
    "ON CONFLICT (route) DO UPDATE SET lost = routes.lost + excluded.lost"
)


def row_of_request(request: Request) -> dict[str, Any]:
    """Return the values of a request for ``REQUESTS``, ``EXPLORED`` and ``DRAWS``."""
    decision = request.decision
    return {
        "request_id": sound(request.request_id),
        "answer_id": sound(request.answer_id, None),
        "at": request.at,
        "route": sound(request.route),
        "router": sound(decision.router),
        "score": decision.score,
        "threshold": decision.threshold,
        "cause": sound(decision.cause),
        "decided": decision.model,
        "acted": int(request.acted),
        "turns": request.turns,
        "sampled": int(request.sampled),
        "propensity": request.propensity,
        "explore": decision.propensity if request.acted else None,
        "draw": sound(decision.draw),
        "prompt_sha256": request.prompt_sha256,
        "prompt": sound(request.prompt, None),
        "messages": _json(request.messages) if request.messages else None,
    }


def row_of_answer(request_id: str, answer: Answer) -> dict[str, Any]:
    """Return the values of the answer to a request for ``ANSWERS``."""
    return {
        "request_id": sound(request_id),
        "tier": answer.tier,
        "shadow": int(answer.shadow),
        "model": sound(answer.model),
        "text": sound(answer.text, None),
        "text_sha256": answer.text_sha256,
        "error": sound(answer.error),
        "input_tokens": answer.input_tokens,
        "cached_tokens": answer.cached_tokens,
        "output_tokens": answer.output_tokens,
        "cost_usd": answer.cost_usd,
        "elapsed_ms": answer.elapsed_ms,
    }


def _json(messages: Messages) -> str | None:
    try:
        return json.dumps(messages, default=str)
    except (ValueError, TypeError, RecursionError):  # no API takes such a conversation
        return None


_NAME = 255
"""Characters that the columns of names hold."""


def sound(text: str | None, most: int | None = _NAME) -> Any:
    """Return a text as databases take it: valid UTF-8 without NUL, not longer than its column."""
    if text is None:
        return None
    return text[:most].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
