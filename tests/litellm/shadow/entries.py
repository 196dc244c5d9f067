"""Entries of a proxy's config with shadow mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def shadow(folder: Path, name: str, **settings: Any) -> dict[str, Any]:
    values = {"sample": 1.0, "budget_usd": 10, "store": str(folder / f"{name}.db")}
    return {**values, "per_minute": 100_000, **settings}


def observed(entry: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {**entry, "model_info": {"routellm": {"observe": True, **settings}}}
