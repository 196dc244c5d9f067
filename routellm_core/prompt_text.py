"""Which words of a conversation are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_TEXT_PARTS = ("text", "input_text")
_TOOL_PARTS = ("tool_result", "function_call_output")


def scored_text(messages: Iterable[Mapping[str, Any]] | None) -> str | None:
    """Return the text a router judges: the text parts of the human's last message.

    System prompts, assistant turns, tool results, retrieved context and images are not scored,
    so the later steps of a tool loop give the same text, and the same decision, as its first.
    A message that returns a tool's result is such a step, whatever words it has besides.

    Args:
        messages: a conversation in OpenAI's chat form: mappings with ``role`` and ``content``,
            where content is a string or a list of parts. Entries of another form are skipped.

    Returns:
        The text, parts joined by newlines; None if the human's last message has none, or there
        is no such message.
    """
    for message in reversed(list(messages or ())):
        if not isinstance(message, Mapping) or message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content if content.strip() else None
        if not isinstance(content, list) or _returns_tool_results(content):
            continue
        text = "\n".join(part_text for part in content if (part_text := _text_of(part)).strip())
        return text or None
    return None


def _text_of(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS:
        text = part.get("text")
        return text if isinstance(text, str) else ""
    return ""


def _returns_tool_results(content: list[Any]) -> bool:
    # Also beside words: agents add reminders of their own to what a tool returned.
    return any(isinstance(part, Mapping) and part.get("type") in _TOOL_PARTS for part in content)
