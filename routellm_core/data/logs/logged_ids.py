"""Calls that are in the logs again, as where two exports overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .langfuse import is_generation

Row = Mapping[str, Any]

OF_LITELLM = frozenset(("call_type", "api_key", "spend", "model_group"))
"""Columns of its spend logs, beside a ``request_id``, which other gateways have too."""

AGAIN = "a call that an earlier row has, by its id"


_TRACES = ("traceId", "trace_id")
"""Columns beside the ``id`` of Langfuse's observations."""


class SeenIds:
    """The calls that were read of LiteLLM's spend logs, of which no two have one ``request_id``, of
    Langfuse's generations and of spans as ``rows_in`` has them, of which no two have one ``id``.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def has(self, row: Row) -> bool:
        """Whether a row is of a call that was read before; False for rows of other logs."""
        name = _id(row)
        if not isinstance(name, str) or not name:
            return False
        number, before = hash(name), len(self._seen)
        self._seen.add(number)
        return len(self._seen) == before


def _id(row: Row) -> object:
    """Return what tells a call from all others; None if its log may repeat it."""
    if "request_id" in row:
        return row["request_id"] if OF_LITELLM.intersection(row) else None
    if is_generation(row) or any(isinstance(row.get(name), str) for name in _TRACES):
        return row.get("id")
    return None
