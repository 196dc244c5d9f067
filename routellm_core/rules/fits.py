"""Which models can serve a call at all; checked before cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..decision import Tier

_BYTES = 3
"""Of UTF-8 in a token, at least, of nearly any text: English has four or more, Chinese three."""
_OF_MESSAGE = 8
"""Tokens around the text of each message."""
_OF_IMAGE = 1_500
"""Tokens of an image, at most, with most providers."""


@dataclass(frozen=True)
class Needs:
    """What a call needs of the model that serves it."""

    tokens: int = 0
    """Of the prompt: an upper estimate."""
    images: bool = False
    audio: bool = False
    video: bool = False
    files: bool = False
    tools: bool = False
    structured: bool = False
    """An answer in the form of a JSON schema, which the provider sees to."""


@dataclass(frozen=True)
class Abilities:
    """What is known about a model; None means unknown, and counts as able."""

    context_window: int | None = None
    """Tokens that it reads."""
    images: bool | None = None
    audio: bool | None = None
    video: bool | None = None
    files: bool | None = None
    tools: bool | None = None
    structured: bool | None = None


_SPREAD = 3
"""How many times the least tokens of a text the estimate may be."""
_WINDOW = "context_window"
_CAUSES = (
    ("images", "vision"),
    ("audio", "audio"),
    ("video", "video"),
    ("files", "files"),
    ("tools", "tools"),
    ("structured", "structured_output"),
)


def lacks(needs: Needs, abilities: Abilities) -> str | None:
    """Return what a model lacks for a call: ``context_window``, ``vision``, ``audio``, ``video``,
    ``files``, ``tools`` or ``structured_output``; None if it can serve it, or is not known not to.
    """
    window = abilities.context_window
    if window is not None and needs.tokens > window:
        return _WINDOW
    for name, cause in _CAUSES:
        if getattr(needs, name) and getattr(abilities, name) is False:
            return cause
    return None


def lacking(needs: Needs, models: Mapping[Tier, Abilities]) -> dict[Tier, str]:
    """Return what each model that cannot serve a call lacks.

    Tokens are estimated from above. So where a prompt may be too long for all, it is for those with
    the longest window only if even an estimate from below says so.
    """
    found = {tier: lacks(needs, abilities) for tier, abilities in models.items()}
    if not any(found.values()):
        return {}
    lack = {tier: cause for tier, cause in found.items() if cause is not None}
    if len(lack) == 2 and set(lack.values()) == {_WINDOW}:
        longest = max(models[tier].context_window or 0 for tier in lack)
        if needs.tokens // _SPREAD <= longest:
            lack = {tier: _WINDOW for tier in lack if models[tier].context_window != longest}
    return lack


def only_able(lacking: Mapping[Tier, str]) -> tuple[Tier, str] | None:
    """Return the model that has to serve a call, and why; None if there is a choice.

    If neither can, the strong model, so that its provider says why.
    """
    if "weak" in lacking:
        return "strong", lacking["weak"]
    if "strong" in lacking:
        return "weak", lacking["strong"]
    return None


def tokens_at_most(texts: Iterable[str], images: int = 0) -> int:
    """Return an upper estimate of the tokens of messages, without a tokenizer.

    Args:
        texts: of the messages.
        images: how many they have.
    """
    total = images * _OF_IMAGE
    for text in texts:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        total += size // _BYTES + _OF_MESSAGE
    return total
