"""What Langfuse's observations of generations say beside their messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .call_facts import tokens_of
from .json_values import mapped

Row = Mapping[str, Any]

_USAGES = ("usage_details", "usageDetails", "usage")
_MODELS = ("provided_model_name", "providedModelName", "model")
_APART = ("input_", "cache_read", "cache_creation")
"""What the names of tokens that were read begin with, which are counted apart from ``input``."""


def is_generation(row: Row) -> bool:
    """Whether a row says that it is one."""
    return str(row.get("type")).upper() == "GENERATION"


def usage_of(row: Row) -> Row:
    """Return the tokens of a generation, of Langfuse's own counts by OpenAI's names too."""
    usage: Row = next(filter(None, (mapped(row.get(name)) for name in _USAGES)), {})
    if "input" not in usage:
        return usage
    return {**usage, "prompt_tokens": _input(usage), "completion_tokens": usage.get("output")}


def model_of(row: Row) -> Any:
    """Return the model that answered; None if the row does not say."""
    return next(filter(None, (row.get(name) for name in _MODELS)), None)


def columns_of(row: Row) -> dict[str, Any]:
    """Return the row with its session and costs by the names of other logs."""
    costs = mapped(row.get("cost_details")) or mapped(row.get("costDetails"))
    session = row.get("sessionId") or row.get("session_id")
    return {"spend": costs.get("total"), **row, "sessionId": session}


def _input(usage: Row) -> int | None:
    given = tokens_of(usage.get("input"))
    if given is None:
        return None
    return given + sum(tokens_of(usage[key]) or 0 for key in usage if str(key).startswith(_APART))
