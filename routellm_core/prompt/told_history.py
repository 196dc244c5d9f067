"""Conversations that were folded into the text of one message when an agent handed them over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_TOLD = (
    "For context, here is the conversation so far between the user and the previous agent:\n",
    "For context, here is the conversation so far:\n",
)
"""How a message of the assistant begins that openai-agents folds a history into."""

_BEGIN, _END = "<CONVERSATION HISTORY>\n", "\n</CONVERSATION HISTORY>"
_NUMBER = re.compile(r"^[0-9]{1,6}\. ", re.MULTILINE)
_SAID = re.compile(r"(assistant|user|system|developer)(?: \([^()\n]{0,200}\))?: ")
"""How a message in it begins whose text is in one line; others are JSON."""


def unfolded(messages: Iterable[object]) -> Iterator[object]:
    """Yield the messages of a conversation, those that are told in another one's text included.

    Args:
        messages: a conversation, as ``human_turns`` takes it.
    """
    for message in messages:
        told = _told(message)
        if told is None:
            yield message
        else:
            yield from _messages_in(told)


def _told(message: object) -> str | None:
    """Return the history in a message; None if there is none."""
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return None
    content = message.get("content")
    if not isinstance(content, str) or not content.startswith(_TOLD):
        return None
    history = content.partition("\n")[2]
    if not history.startswith(_BEGIN) or not history.endswith(_END):
        return None
    return history[len(_BEGIN) : -len(_END)]


def _messages_in(history: str) -> Iterator[dict[str, Any]]:
    for record in _NUMBER.split(history):
        said = _SAID.match(record)
        if said is not None:
            yield {"role": said[1], "content": record[said.end() :].strip()}
        elif record.startswith("{"):
            try:
                item = json.loads(record)
            except (ValueError, RecursionError):
                continue
            if isinstance(item, dict):
                yield item
