"""Where a decision travels in LangChain: the metadata of the model's run and of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage

from routellm_core import Decision

METADATA_KEY = "routellm"
"""The key of the decision in an answer's ``response_metadata``."""

T = TypeVar("T")


def trace_metadata(decision: Decision) -> dict[str, str | float]:
    """Return a decision as a run's metadata: flat scalars, ``routellm_tier`` and so on."""
    values = decision.as_metadata().items()
    return {f"{METADATA_KEY}_{key}": value for key, value in values if value is not None}


def with_decision(output: T, decision: Decision) -> T:
    """Return a message, or a mapping with one under ``raw``, that carries the decision.

    A copy: the message may be shared with a cache. Other outputs are returned as they are.
    """
    if isinstance(output, BaseMessage):
        metadata = {**output.response_metadata, METADATA_KEY: decision.as_metadata()}
        return output.model_copy(update={"response_metadata": metadata})
    if isinstance(output, dict) and isinstance(output.get("raw"), BaseMessage):
        carrying: Any = {**output, "raw": with_decision(output["raw"], decision)}
        return carrying  # type: ignore[no-any-return]
    return output


def tiers_of(messages: Iterable[BaseMessage]) -> set[Any]:
    """Return the tiers of the answers among messages that carry a decision."""
    return {
        made.get("tier")
        for message in messages
        if isinstance(message, AIMessage)
        and isinstance(made := message.response_metadata.get(METADATA_KEY), dict)
    }
