"""Values of rows, which CSV and parquet hold as texts of JSON, and which may be anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def listed(value: Any) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def mapped(value: Any) -> Mapping[str, Any]:
    """Return a mapping, also of a text of JSON; an empty one for anything else."""
    value = parsed(value)
    return value if isinstance(value, Mapping) else {}


def parsed(value: Any) -> Any:
    """Return what a text of JSON says, as it stands in CSV and in parquet; else the value."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
