"""The decision on a call, where a log of the call holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .json_values import mapped

Row = Mapping[str, Any]

KEY = "routellm"
"""Under which a decision stands in metadata."""

_HEADER = "x-routellm-"
_RUN = f"{KEY}_"
_HEADERS = ("response_headers", "headers")
_IDS = ("request_id", "response_id", "gen_ai.response.id", "id")


def logged_decision(row: Row) -> Row | None:
    """Return the values of the decision that a row holds, as ``Decision.as_metadata`` has them;
    None if it holds none.

    They are in LiteLLM's metadata, under ``routellm``, in that of LangChain's runs, as
    ``routellm_tier`` and so on, among the headers of the answer (``headers`` or
    ``response_headers``), or columns of the row.
    """
    metadata = mapped(row.get("metadata"))
    places = (mapped(metadata.get("spend_logs_metadata")), metadata, row)
    found: list[Row] = [mapped(place.get(KEY)) for place in places]
    found.append(_begun(metadata, _RUN))
    for name in _HEADERS:
        headers = _begun(mapped(row.get(name)), _HEADER)
        found.append({key: _unquoted(value) for key, value in headers.items()})
    return next(filter(None, found), row if row.get("tier") in ("strong", "weak") else None)


def has_failed(row: Row) -> bool:
    """Whether a gateway's row says that the call failed."""
    return str(row.get("status")).lower() == "failure"


def request_id_of(row: Row) -> str:
    """Return by what judgements name the call of a row; empty if there is nothing."""
    response = mapped(row.get("response"))
    names = (place.get(each) for place in (row, response) for each in _IDS)
    return next((each for each in names if isinstance(each, str)), "")


def plain(value: object) -> object:
    """Return a number or a text of one as a float; what is none as it is."""
    if isinstance(value, (bool, int, float, str)):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            return value
        return found if math.isfinite(found) else None
    return value


def number(value: object) -> float:
    """Return a number or a text of one; NaN if it is none."""
    found = plain(value)
    return found if isinstance(found, float) else math.nan


def _begun(values: Row, begun: str) -> Row:
    """Return the values whose names begin so, by the rest of their names."""
    return {
        str(name).lower().removeprefix(begun): value
        for name, value in values.items()
        if str(name).lower().startswith(begun)
    }


def _unquoted(value: Any) -> Any:
    return unquote(value) if isinstance(value, str) else value
