"""Thinking in answers, which is signed for the LLM that wrote it: another one refuses it (400)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from routellm_core import Tier

_AUTHOR = "routellm_tier"
"""In a block's ``additional_information``, which is kept with a conversation and, but for known
keys, not sent. Here it is removed before a call all the same."""

_THINKING: Any = getattr(types, "ThinkingBlock", ())
"""Not in older releases, whose messages hold no thinking."""

M = TypeVar("M", bound="Sequence[ChatMessage] | None")


def sign(answer: object, tier: Tier) -> None:
    """Note on the thinking in an answer which tier wrote it."""
    if isinstance(answer, ChatResponse):
        for block in answer.message.blocks:
            if isinstance(block, _THINKING):
                block.additional_information[_AUTHOR] = tier


def readable_by(tier: Tier, messages: M) -> M:
    """Return messages without the thinking of the other tier.

    Args:
        tier: that is called.
        messages: thinking of which no author is noted stays.

    Returns:
        ``messages`` itself if there is nothing to leave out.
    """
    if messages is None:
        return messages
    readable = [_readable(message, tier) for message in messages]
    unchanged = all(a is b for a, b in zip(readable, messages, strict=True))
    return messages if unchanged else readable  # type: ignore[return-value]


def template_readable_by(tier: Tier, prompt: BasePromptTemplate) -> BasePromptTemplate:
    """Like ``readable_by``, for the messages of a template that a chat engine made."""
    if not isinstance(prompt, ChatPromptTemplate):
        return prompt
    messages = readable_by(tier, prompt.message_templates)
    if messages is prompt.message_templates:
        return prompt
    return prompt.model_copy(update={"message_templates": messages})


def _readable(message: Any, tier: Tier) -> Any:
    blocks = getattr(message, "blocks", ())
    if not any(_author(block) for block in blocks):
        return message
    kept = [_unsigned(block) for block in blocks if _author(block) in (None, tier)]
    return message.model_copy(update={"blocks": kept})


def _author(block: object) -> Any:
    if not isinstance(block, _THINKING):
        return None
    return block.additional_information.get(_AUTHOR)


def _unsigned(block: Any) -> Any:
    if _author(block) is None:
        return block
    known = {k: v for k, v in block.additional_information.items() if k != _AUTHOR}
    return block.model_copy(update={"additional_information": known})
