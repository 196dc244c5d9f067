"""What of an answer its author alone can read, and must not be sent to the other group.

Reasoning is signed or encrypted by the provider for the model that wrote it; another one may refuse
the whole request (400) if it finds it in the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from routellm_core import Tier

from ..reporting.routed_request import routed_request
from .answers import author_of, scope_of

_PARTS = ("thinking", "redacted_thinking", "reasoning")
"""Types of parts of a message, or of items, that hold reasoning."""
_KEYS = ("reasoning_content", "reasoning_items", "thinking_blocks")
"""Where a message of the chat form has it."""
_SIGNED = ("reasoning_items", "thinking_blocks")
"""Which of these providers check."""
_ITEMS = ("msg_", "fc_", "rs_")
"""How ids begin of items that OpenAI accepts only beside the reasoning that led to them."""


def drop_foreign_reasoning(alias: str, tier: Tier, request: dict[str, Any]) -> None:
    """Leave the reasoning of the other tier out of a request's conversation.

    Args:
        alias: the model asked for.
        tier: that the request goes to.
        request: its body, in which the conversation is replaced if there is anything to leave out.
            Answers of which no author is known stay as they are.
    """
    for name, has_reasoning, readable in (
        ("messages", _has_reasoning, _of_messages),
        ("input", _is_reasoning, _of_items),
    ):
        given = request.get(name)
        if isinstance(given, list) and any(map(has_reasoning, given)):
            kept = readable(given, tier, scope_of(alias, request))
            if kept is not given:
                request[name] = kept


def drop_reasoning_before_attempt(request: dict[str, Any]) -> None:
    """Leave out of a routed request what the group that an attempt goes to cannot read, which may
    be the other one of its alias where the request falls back.

    Args:
        request: the arguments that LiteLLM makes the attempt with.
    """
    routed = routed_request(request)
    tier = routed.served_by(request) if routed is not None else None
    if routed is not None and tier is not None:
        drop_foreign_reasoning(routed.alias, tier, request)


def has_signed_reasoning(messages: Iterable[object]) -> bool:
    """Return whether a conversation holds reasoning that its author alone can be sent."""
    return any(_is_reasoning(message) or _has_reasoning(message, _SIGNED) for message in messages)


def _of_messages(messages: list[Any], tier: Tier, scope: tuple[str, ...]) -> list[Any]:
    """Return messages of the chat form, or Anthropic's, as the tier can read them."""
    # Whose an answer is takes a digest of its words, so it is asked of those with reasoning alone.
    foreign = [
        at
        for at, message in enumerate(messages)
        if _has_reasoning(message) and author_of(message, scope) not in (None, tier)
    ]
    if not foreign:
        return messages
    readable = list(messages)
    for at in foreign:
        readable[at] = _without_reasoning(messages[at])
    return readable


def _of_items(items: list[Any], tier: Tier, scope: tuple[str, ...]) -> list[Any]:
    """Return items of the responses API as the tier can read them."""
    kept: list[Any] = []
    foreign = False  # what follows reasoning tells who wrote it
    for item in reversed(items):
        if _is_reasoning(item):
            if not foreign:
                kept.append(item)
            continue
        foreign = author_of(item, scope) not in (None, tier)
        kept.append(_without_reasoning(item) if foreign else item)
    return items if len(kept) == len(items) else kept[::-1]


def _has_reasoning(message: object, keys: Iterable[str] = _KEYS) -> bool:
    if not isinstance(message, Mapping):
        return False
    content = message.get("content")
    parts = content if isinstance(content, list) else ()
    return any(message.get(key) for key in keys) or any(map(_is_reasoning, parts))


def _without_reasoning(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a copy of an answer without what its author alone can read."""
    plain = {key: value for key, value in answer.items() if key not in _KEYS}
    if isinstance(answer.get("content"), list):
        # An answer of nothing else stays, since providers refuse one without content.
        said = [part for part in answer["content"] if not _is_reasoning(part)]
        plain["content"] = said or answer["content"]
    if str(answer.get("id", "")).startswith(_ITEMS):
        del plain["id"]
    return plain


def _is_reasoning(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("type") in _PARTS
