"""Earlier answers as the called model gets them.

Reasoning is signed or encrypted by the provider for the model that wrote it. Another model refuses
the whole request (400) if the conversation contains it, so it is removed. Decisions on earlier
answers are reduced to their tiers: LangChain's cache keys include each message's metadata, and the
time that a decision took differs in every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.prompt_values import PromptValue

from routellm_core import Tier

from ..reporting import tier_of, with_tier_alone

_BLOCKS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content", "compaction")
"""Types of content that hold reasoning (Anthropic, OpenAI, Bedrock, LangChain's own)."""
_KEYS = ("signature", "thought_signature", "encrypted_content", "item_id")
"""What other content has beside what it says, itself or in its ``extras``."""
_ITEMS = ("msg_", "fc_", "rs_")
"""How ids begin of items that OpenAI accepts only beside the reasoning that led to them."""
_ADDITIONAL = (
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "__openai_function_call_ids__",
    "__gemini_function_call_thought_signatures__",
)


def readable_by(tier: Tier, model_input: LanguageModelInput, level: int = 0) -> LanguageModelInput:
    """Return an input without the reasoning in answers that came from another tier, and with the
    tier alone of each decision.

    Args:
        tier: that is called.
        model_input: as a chat model takes it. Answers that do not say who gave them stay as they
            are.
        level: of the router, as ``reporting.level_of`` tells.

    Returns:
        ``model_input`` itself if nothing is left out.
    """
    if isinstance(model_input, PromptValue):
        messages: Sequence[Any] = model_input.to_messages()
    elif isinstance(model_input, str) or not isinstance(model_input, Sequence):
        return model_input  # of no input of a chat model, the model that is called says what it is
    else:
        messages = model_input
    readable = [
        with_tier_alone(without_reasoning(each) if _is_foreign(each, tier, level) else each)
        for each in messages
    ]
    changed = any(one is not other for one, other in zip(readable, messages, strict=True))
    return readable if changed else model_input


def without_reasoning(message: AIMessage) -> AIMessage:
    """Return an answer without what its author alone can read; a copy, if there is any."""
    fields: dict[str, Any] = {}
    if isinstance(message.content, list):
        content = [_plain(block) for block in message.content if not _is_reasoning(block)]
        if content != message.content:
            fields["content"] = content or ""
    additional = {k: v for k, v in message.additional_kwargs.items() if k not in _ADDITIONAL}
    if len(additional) != len(message.additional_kwargs):
        fields["additional_kwargs"] = additional
    if str(message.response_metadata.get("id", "")).startswith("resp_"):
        metadata = {k: v for k, v in message.response_metadata.items() if k != "id"}
        fields["response_metadata"] = metadata
    if str(message.id or "").startswith(_ITEMS):
        fields["id"] = None
    return message.model_copy(update=fields) if fields else message


def _is_foreign(message: object, tier: Tier, level: int) -> bool:
    return isinstance(message, AIMessage) and tier_of(message, level) not in (None, tier)


def _is_reasoning(block: object) -> bool:
    if not isinstance(block, dict):
        return False
    if block.get("type") == "non_standard":
        return _is_reasoning(block.get("value"))
    return block.get("type") in _BLOCKS


def _plain(block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    plain = {key: value for key, value in block.items() if key not in _KEYS}
    if str(plain.get("id", "")).startswith(_ITEMS):
        del plain["id"]
    if isinstance(plain.get("extras"), dict):
        plain["extras"] = {k: v for k, v in plain["extras"].items() if k not in _KEYS}
    return plain
