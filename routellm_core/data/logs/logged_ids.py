"""Calls that are in the logs again, as where two exports overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OF_LITELLM = frozenset(("call_type", "api_key", "spend", "model_group"))
"""Columns of its spend logs, beside a ``request_id``, which other gateways have too."""

AGAIN = "a call that an earlier row has, by its request_id"


class SeenIds:
    """The calls of LiteLLM's spend logs that were read, of which no two have one ``request_id``."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def has(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is of a call that was read before; False for rows of other logs."""
        name = row.get("request_id")
        if not isinstance(name, str) or not name or not OF_LITELLM.intersection(row):
            return False
        number, before = hash(name), len(self._seen)
        self._seen.add(number)
        return len(self._seen) == before
