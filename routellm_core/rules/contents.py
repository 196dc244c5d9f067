"""What the parts of messages hold, in the forms of all providers: words, and what is no text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .fits import Needs, tokens_at_most

_KINDS = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio"), "audio"),
    **dict.fromkeys(("video", "video_url", "input_video"), "video"),
    **dict.fromkeys(("file", "document", "input_file"), "application"),
}
_MEDIA = frozenset(("inlineData", "inline_data", "fileData", "file_data"))
"""Keys of parts in Gemini's API that are no text."""
_NOT_READ = frozenset(
    (
        *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "status"),
        *("signature", "thoughtSignature", "thought_signature", "encrypted_content"),
        *("data", "base64"),
    )
)
"""Keys of a message whose values are no words for the model."""


@dataclass
class Contents:
    """What is in messages."""

    texts: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """Of what is no text, in the words of media types: ``image``, ``audio``, ``video``,
    ``application``; once for each part.
    """

    def needs(self, tools: Iterable[object] = (), structured: bool = False) -> Needs:
        """Return what these messages need of the model that reads them.

        Args:
            tools: that the call offers; they are read as well.
            structured: whether the answer must have the form of a JSON schema.
        """
        offered = [str(tool) for tool in tools]
        return Needs(
            tokens=tokens_at_most([*self.texts, *offered], self.kinds.count("image")),
            images="image" in self.kinds,
            audio="audio" in self.kinds,
            video="video" in self.kinds,
            files="application" in self.kinds,
            tools=bool(offered),
            structured=structured,
        )


def contents_of(values: Iterable[Any]) -> Contents:
    """Return what is in messages or in parts of them; takes time linear in their parts.

    Without recursion: clients choose how deep their messages are.

    Args:
        values: strings, and mappings and lists of such, in the form of any provider's API or of
            LangChain. The data of what is no text are not read.
    """
    found, unread = Contents(), list(values)
    while unread:
        value = unread.pop()
        if isinstance(value, str):
            found.texts.append(value)
        elif isinstance(value, list):
            unread.extend(value)
        elif isinstance(value, (dict, Mapping)):  # a dict is found to be one much sooner
            kind = value.get("type")
            if isinstance(kind, str) and kind in _KINDS:
                found.kinds.append(_KINDS[kind])
            elif kind == "media":  # of LangChain's client for Gemini
                found.kinds.append(_media(value))
            else:
                for key, item in value.items():
                    if key in _MEDIA:
                        found.kinds.append(_media(item))
                    elif key not in _NOT_READ:
                        unread.append(item)
    return found


def _media(blob: object) -> str:
    """Return the first part of the media type that is given beside data."""
    if not isinstance(blob, Mapping):
        return ""
    return str(blob.get("mimeType") or blob.get("mime_type")).partition("/")[0]
