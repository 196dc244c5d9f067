"""What a request needs of the model that serves it, whichever endpoint it came by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routellm_core import Tier
from routellm_core.rules.fits import Abilities, Needs, lacking, tokens_at_most

_MESSAGES = ("messages", "input", "prompt", "contents")
"""Where the APIs have a conversation."""
_INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction")
"""Where they have the system prompt, if it is no message."""
_TOOLS = ("tools", "functions")

_KINDS = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio"), "audio"),
    **dict.fromkeys(("file", "document", "input_file"), "application"),
}
_MEDIA = frozenset(("inlineData", "inline_data", "fileData", "file_data"))
"""Keys of parts in Gemini's API that are no text."""
_NOT_READ = frozenset(
    (
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status"),
        *("signature", "thoughtSignature", "thought_signature", "encrypted_content", "data"),
    )
)
"""Keys of a message whose values are no words for the model."""


def lacking_for(
    request: Mapping[str, Any],
    messages: Sequence[Any] | None,
    models: Mapping[Tier, Abilities],
) -> dict[Tier, str]:
    """Return what each model lacks for a request, of those that cannot serve it.

    Args:
        request: its body.
        messages: the conversation, if it is not in the body.
        models: what is known of each.
    """
    return lacking(needs_of(request, messages), models) if models else {}


def needs_of(request: Mapping[str, Any], messages: Sequence[Any] | None = None) -> Needs:
    """Return what a request needs; takes time linear in its parts.

    Args:
        request: its body.
        messages: the conversation, if it is not in the body.
    """
    texts: list[str] = []
    kinds: list[str] = []
    names = _INSTRUCTIONS if messages is not None else (*_MESSAGES, *_INSTRUCTIONS)
    _read([value for value in (messages, *map(request.get, names)) if value], texts, kinds)
    tools = [tool for name in _TOOLS for tool in _listed(request.get(name))]
    texts.extend(map(str, tools))
    return Needs(
        tokens=tokens_at_most(texts, kinds.count("image")),
        images="image" in kinds,
        audio="audio" in kinds,
        files="application" in kinds,
        tools=bool(tools),
    )


def _read(values: list[Any], texts: list[str], kinds: list[str]) -> None:
    """Add the texts in a request's values, and the kinds of what else is in them.

    Without recursion: clients choose how deep their bodies are.
    """
    while values:
        value = values.pop()
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list):
            values.extend(value)
        elif isinstance(value, (dict, Mapping)):  # a dict is found to be one much sooner
            kind = value.get("type")
            if isinstance(kind, str) and kind in _KINDS:
                kinds.append(_KINDS[kind])
                continue
            for key, item in value.items():
                if key in _MEDIA:
                    kinds.append(_media(item))
                elif key not in _NOT_READ:
                    values.append(item)


def _media(blob: object) -> str:
    """Return the first part of a media type that Gemini's API has beside data."""
    if not isinstance(blob, Mapping):
        return ""
    return str(blob.get("mimeType") or blob.get("mime_type")).partition("/")[0]


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
