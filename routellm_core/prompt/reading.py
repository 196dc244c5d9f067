"""What of a conversation is scored, as settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..decision import Asked
from .patterns import patterns_of
from .turns import human_turns, text_of

if TYPE_CHECKING:
    from ..settings import PolicySettings

_SYSTEM = ("system", "developer")

Messages = Sequence[Mapping[str, Any]]


def asked_in(
    messages: Messages, settings: PolicySettings, everything: Messages | None = None
) -> Asked:
    """Return what the messages of a conversation ask.

    Args:
        messages: a conversation, as ``human_turns`` takes it.
        settings: ``scored`` says what is scored, ``ignore`` and ``extract`` what of a user message
            is the human's.
        everything: the conversation with its system prompt and its answers, if ``messages`` lack
            some.
    """
    turns = human_turns(messages, patterns_of(settings.ignore, settings.extract))
    every = messages if everything is None else everything
    parts = tuple(map(_part, every)) if settings.hold == "cache" else ()
    if settings.scored == "last":
        return Asked(turns, parts=parts)
    if settings.scored == "all":
        text = _joined(every)
        return Asked((text,) if text else (), parts=parts)
    return Asked(turns, before=system_text(every), parts=parts)


def system_text(messages: Iterable[Any]) -> str:
    """Return the system prompt of a conversation, in all messages that hold a part of it."""
    return _joined(each for each in messages if _role(each) in _SYSTEM)


def _joined(messages: Iterable[Mapping[str, Any]]) -> str:
    texts = (text_of(message.get("content")) for message in messages if _role(message))
    return "\n\n".join(text for text in texts if text.strip())


def _part(message: object) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return f"{_role(message)}\n{text_of(content)}"


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, Mapping) else None
