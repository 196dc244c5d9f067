"""Where LangChain users find a decision: the metadata of the run and of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage

from routellm_core import Decision

METADATA_KEY = "routellm"
"""The key of the decision in an answer's ``response_metadata``."""

LEVEL = "__routellm_level"
"""In a config's ``configurable``: how many routers handed the call on, where they are nested. With
the two underscores LangChain keeps it out of traces."""

_THEN = "then"
"""In the decision on a message: what the router decided that was chosen by it."""

T = TypeVar("T")


def level_of(configurable: Mapping[str, Any]) -> int:
    """Return how many routers handed a call on before."""
    level = configurable.get(LEVEL, 0)
    return level if isinstance(level, int) else 0


def trace_metadata(decision: Decision, level: int = 0) -> dict[str, str | float]:
    """Return a decision as a run's metadata: flat scalars, ``routellm_tier`` and so on.

    Args:
        decision: the decision.
        level: as ``level_of`` tells; that of a nested router is ``routellm_then_tier`` and so on.
    """
    values = decision.as_metadata().items()
    prefix = f"{METADATA_KEY}_" + f"{_THEN}_" * level
    return {f"{prefix}{key}": value for key, value in values if value is not None}


def with_decision(output: T, decision: Decision, nested: bool = False) -> T:
    """Return a message, or a mapping with one under ``raw``, that carries the decision.

    A copy: the message may be shared with a cache. Other outputs are returned as they are.

    Args:
        output: of the model that was chosen.
        decision: the decision.
        nested: whether that is a router itself, whose decision is kept.
    """
    if isinstance(output, BaseMessage):
        made: dict[str, Any] = decision.as_metadata()
        then = output.response_metadata.get(METADATA_KEY)
        if nested and then:
            made[_THEN] = then
        metadata = {**output.response_metadata, METADATA_KEY: made}
        return output.model_copy(update={"response_metadata": metadata})
    if isinstance(output, dict) and isinstance(output.get("raw"), BaseMessage):
        carrying: Any = {**output, "raw": with_decision(output["raw"], decision, nested)}
        return carrying  # type: ignore[no-any-return]
    return output


def with_tier_alone(message: T) -> T:
    """Return a message whose decision, if it carries one, is reduced to the tiers.

    A copy, or the message itself if there is nothing to leave out.
    """
    if not isinstance(message, AIMessage):
        return message
    made = message.response_metadata.get(METADATA_KEY)
    alone = _tiers_alone(made)
    if alone == made:
        return message
    metadata = {**message.response_metadata, METADATA_KEY: alone}
    return message.model_copy(update={"response_metadata": metadata})


def _tiers_alone(made: Any) -> Any:
    if not isinstance(made, dict):
        return made
    alone = {key: made[key] for key in ("tier", _THEN) if key in made}
    return {**alone, _THEN: _tiers_alone(made[_THEN])} if _THEN in alone else alone


def tier_of(message: BaseMessage, level: int = 0) -> Any:
    """Return the tier of an answer that carries a decision; None for other messages.

    Args:
        message: any message.
        level: of the router whose decision it is, as ``level_of`` tells.
    """
    if not isinstance(message, AIMessage):
        return None
    made = message.response_metadata.get(METADATA_KEY)
    for _ in range(level):
        made = made.get(_THEN) if isinstance(made, dict) else None
    return made.get("tier") if isinstance(made, dict) else None


def tiers_of(messages: Iterable[BaseMessage], level: int = 0) -> set[Any]:
    """Return the tiers of the answers among messages that carry a decision."""
    return {tier for message in messages if (tier := tier_of(message, level)) is not None}
