"""What a call of LangChain needs, and what the profiles of its models say they can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from routellm_core import Tier
from routellm_core.rules.fits import Abilities, Needs, tokens_at_most

from ..models.wrappers import unwrapped

_NONE: Mapping[str, Any] = {}
_IMAGES = ("image", "image_url", "input_image")
_AUDIO = ("audio", "input_audio")
_FILES = ("file", "document", "input_file")


def known_abilities(strong: object, weak: object) -> dict[Tier, Abilities]:
    """Return what is known of two models by their ``profile``.

    Nothing is known of a model that is made when it is called, or is a router: that one chooses
    among models of its own.
    """
    models: tuple[tuple[Tier, object], ...] = (("strong", strong), ("weak", weak))
    known = {tier: _abilities(unwrapped(model)) for tier, model in models}
    return {tier: abilities for tier, abilities in known.items() if abilities is not None}


def _abilities(model: object) -> Abilities | None:
    if not isinstance(model, BaseChatModel) or model._llm_type == "routellm-chat":
        return None
    # In older releases it is a property, which needs a package of its own.
    profile = getattr(model, "profile", None) if "profile" in type(model).model_fields else None
    if not isinstance(profile, Mapping) or not profile:
        return None
    window = profile.get("max_input_tokens")
    return Abilities(
        context_window=window if isinstance(window, int) else None,
        images=profile.get("image_inputs"),
        audio=profile.get("audio_inputs"),
        files=profile.get("pdf_inputs"),
        tools=profile.get("tool_calling"),
        structured=profile.get("structured_output"),
    )


def needs_of(messages: Sequence[BaseMessage], kwargs: Mapping[str, Any] = _NONE) -> Needs:
    """Return what a call needs.

    Args:
        messages: of the call.
        kwargs: its arguments, of which ``tools`` and ``response_format`` are read.
    """
    texts: list[str] = []
    kinds: list[str] = []
    for message in messages:
        if isinstance(message.content, str):
            texts.append(message.content)
            continue
        for part in _parts(message.content):
            kind = part.get("type")
            if isinstance(kind, str) and kind in (*_IMAGES, *_AUDIO, *_FILES):
                kinds.append(kind)
            else:
                texts.append(_text(part))
    offered = list(kwargs.get("tools") or ())
    texts.extend(str(tool) for tool in offered)
    images = sum(kind in _IMAGES for kind in kinds)
    return Needs(
        tokens=tokens_at_most(texts, images),
        images=images > 0,
        audio=any(kind in _AUDIO for kind in kinds),
        files=any(kind in _FILES for kind in kinds),
        tools=bool(offered),
        structured=_is_schema(kwargs.get("response_format")),
    )


def arguments_of(target: object) -> Mapping[str, Any]:
    """Return what ``with_structured_output`` bound to a model; empty if that cannot be told."""
    step = getattr(target, "first", target)  # the model before the parser
    step = getattr(step, "steps__", {}).get("raw", step)  # beside the raw message
    kwargs = getattr(step, "kwargs", None)
    return kwargs if isinstance(kwargs, Mapping) else _NONE


def _is_schema(response_format: object) -> bool:
    if isinstance(response_format, Mapping):
        return response_format.get("type") == "json_schema"
    return isinstance(response_format, type)


def _parts(content: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for part in content:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif isinstance(part, Mapping):
            yield part


def _text(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else str(part)
