"""Who gave the answers in a conversation, for one from which the human's words were trimmed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole

from routellm_core import Tier
from routellm_core.policy.conversations import names_of_answer, note_answer, tier_of_answer

_TOOL_CALL: Any = getattr(types, "ToolCallBlock", ())
"""Not in older releases, whose messages have calls of tools among ``additional_kwargs``."""


def note(answer: object, tier: Tier) -> None:
    """Remember who gave an answer, if it is one of a chat."""
    if isinstance(answer, ChatResponse):
        note_answer(_names(answer.message), tier)


def tier_of_answers(messages: Sequence[ChatMessage]) -> Tier | None:
    """Return the tier that the last answer among messages is known to come from."""
    answers = (m for m in reversed(messages) if m.role == MessageRole.ASSISTANT)
    return next(filter(None, (tier_of_answer(_names(answer)) for answer in answers)), None)


def _names(message: ChatMessage) -> list[str]:
    return names_of_answer(message.content or "", _calls(message))


def _calls(message: ChatMessage) -> Iterator[str]:
    """Yield the ids of the calls of tools in a message."""
    for block in message.blocks:
        if isinstance(block, _TOOL_CALL):
            yield str(block.tool_call_id or "")
    for call in message.additional_kwargs.get("tool_calls") or ():
        given = call.get("id") if isinstance(call, dict) else getattr(call, "id", None)
        yield str(given or "")
