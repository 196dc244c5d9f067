"""The conversation of a request, whichever endpoint it came by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CALLED = ("functionResponse", "function_response")


_INSTRUCTIONS = ("system", "instructions", "systemInstruction")
"""Where the messages, the responses and Gemini's API have the system prompt."""


def messages_of(request: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the conversation in OpenAI's chat or responses form.

    Args:
        request: the body of a chat completion, a text completion (``prompt``), a response
            (``input``), a message, or a request to generate content (Gemini's ``contents``).

    Returns:
        The messages; empty if the request has none.
    """
    messages = request.get("messages")
    if isinstance(messages, list):
        return messages
    for key in ("input", "prompt"):
        given = request.get(key)
        if isinstance(given, str) or (key == "prompt" and given is not None):
            return [{"role": "user", "content": given}]
        if isinstance(given, list):
            return given
    return list(_of_contents(request.get("contents")))


def system_messages(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the system prompt that a request has beside its conversation, as messages."""
    given = (request.get(name) for name in _INSTRUCTIONS)
    return [{"role": "system", "content": content} for content in given if content]


def _of_contents(contents: object) -> Iterator[dict[str, Any]]:
    if isinstance(contents, (str, Mapping)):
        contents = [contents]
    for content in contents if isinstance(contents, list) else ():
        if isinstance(content, str):
            yield {"role": "user", "content": content}
        elif isinstance(content, Mapping):
            role = "assistant" if content.get("role") == "model" else "user"
            parts = content.get("parts")
            yield {"role": role, "content": [_part(p) for p in parts or () if p is not None]}


def _part(part: object) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, Mapping):
        if isinstance(part.get("text"), str) and not part.get("thought"):
            return {"type": "text", "text": part["text"]}
        if any(name in part for name in _CALLED):
            return {"type": "tool_result"}
    return {"type": "file"}
