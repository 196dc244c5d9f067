"""Values of rows, which CSV and parquet hold as texts of JSON, and which may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_BEGINS = ("{", "[", '"{', '"[')


def listed(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def mapped(value: Any) -> Mapping[str, Any]:
    """Return a mapping, also of a text of JSON; an empty one for anything else."""
    value = parsed(value)
    return value if isinstance(value, Mapping) else {}


def parsed(value: Any) -> Any:
    """Return the object or list that a text of JSON says, as it stands in CSV and in parquet, also
    where that text is JSON once more, as of a column of JSON that holds texts; else the value.
    """
    if isinstance(value, str) and value.startswith(_BEGINS):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return value
        within = parsed(found) if isinstance(found, str) else found
        return value if isinstance(within, str) else within
    return value
