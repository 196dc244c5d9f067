"""What a call of LangChain needs, and what the profiles of its models say they can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from routellm_core import Tier
from routellm_core.rules.contents import contents_of
from routellm_core.rules.fits import Abilities, Needs

from ..models.wrappers import unwrapped

_NONE: Mapping[str, Any] = {}


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
        video=profile.get("video_inputs"),
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
    read = contents_of(message.content for message in messages)
    for message in messages:
        # Where the content is blocks, the calls of tools are among them.
        if isinstance(message, AIMessage) and isinstance(message.content, str):
            read.texts.extend(str(call["args"]) for call in message.tool_calls)
    return read.needs(kwargs.get("tools") or (), _is_schema(kwargs.get("response_format")))


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
