"""What a LangChain call asks: the human's turns, and which conversation it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue

from routellm_core import Asked, PolicySettings, Tier
from routellm_core.policy.conversations import session_of
from routellm_core.prompt import reading
from routellm_core.prompt.side_calls import side_call
from routellm_core.rules.fits import Abilities, lacking

from ..reporting import level_of, tier_of, tiers_of
from .needs import needs_of
from .questions import with_question

_HUMAN_ROLES = ("user", "human")
_SOURCE = "lc_source"
"""Tells, in a human message that nobody typed, which feature of an agent added it."""
_ROLES = {"ai": "assistant", "AIMessageChunk": "assistant"}


def asked_by(
    model_input: LanguageModelInput,
    settings: PolicySettings,
    configurable: Mapping[str, Any],
    question: str | None = None,
    models: Mapping[Tier, Abilities] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Asked:
    """Return what a call asks.

    Args:
        model_input: as a chat model takes it.
        settings: of the call.
        configurable: of the call's config; its ``thread_id`` names the conversation.
        question: that the prompt of the call was filled with; None if that is not known.
        models: what is known of each model; None: nothing.
        kwargs: of the call, of which ``tools`` and ``response_format`` are read.

    Raises:
        ValueError: a message has a form that no chat model takes.
    """
    if isinstance(model_input, str):  # needs no message made of it
        messages: Sequence[BaseMessage] = [HumanMessage(model_input)]
        said = [{"role": "user", "content": model_input}]
        asked = side_call(said, settings) or reading.asked_in(said, settings)
    else:
        messages = _messages(model_input)
        asked = side_call(_as_chat(messages), settings) or asked_in(
            messages, settings, configurable
        )
    unfit = lacking(needs_of(messages, kwargs or {}), models) if models else {}
    prompt = next((each.content for each in reversed(messages) if _is_human(each)), "")
    return replace(asked, turns=with_question(asked.turns, question, prompt), lacking=unfit)


def asked_in(
    messages: Sequence[BaseMessage], settings: PolicySettings, configurable: Mapping[str, Any]
) -> Asked:
    """Return what a conversation asks; as ``asked_by``."""
    level = level_of(configurable)
    if settings.sticky == "turn":
        return _read(messages, settings, level)
    asked = asked_in_thread(messages, settings, level)
    if asked.settled or tiers_of(messages, level):
        return asked
    # The answers, if there are any, do not say who gave them where an application keeps their text.
    begins = not any(isinstance(message, AIMessage) for message in messages)
    thread = configurable.get("thread_id")
    session = _session(messages, thread, level)
    return replace(asked, session=session, begins=begins and thread is None)


def asked_in_thread(
    messages: Sequence[BaseMessage], settings: PolicySettings, level: int = 0
) -> Asked:
    """Return what a conversation asks that stays with the strong model once that has answered.

    Args:
        messages: of the conversation.
        settings: of the call.
        level: of the router, as ``level_of`` tells.
    """
    if "strong" in tiers_of(messages, level):
        return Asked(settled="strong", cause="conversation")
    return _read(messages, settings, level)


def _read(messages: Sequence[BaseMessage], settings: PolicySettings, level: int) -> Asked:
    asked = reading.asked_in(_as_chat(messages), settings)
    if asked.turns:
        return asked
    # Trimmed or summarised in the middle of a loop, which stays where its last answer came from.
    last = next((tier for message in reversed(messages) if (tier := tier_of(message, level))), None)
    return replace(asked, without_text=last, cause="conversation") if last else asked


def _as_chat(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    return [
        {"role": _role(message), "content": message.content, "name": message.name}
        for message in messages
    ]


def _messages(model_input: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(model_input, PromptValue):
        return model_input.to_messages()
    if isinstance(model_input, Sequence):
        return convert_to_messages(model_input)
    return []  # type: ignore[unreachable]  # no input of a chat model; the model that is called will say so


def _session(messages: Sequence[BaseMessage], thread: object, level: int) -> str | None:
    levels = [f"level {level}"] if level else []  # nested routers remember apart
    if thread is not None:
        return session_of("thread", str(thread), levels)
    first = next(filter(_is_human, messages), None)
    if first is None:
        return None
    system = [str(message.content) for message in messages if isinstance(message, SystemMessage)]
    return session_of("\n".join(system), str(first.content), levels)


def _role(message: BaseMessage) -> str:
    if _is_human(message):
        return "user"
    if isinstance(message, HumanMessage):
        return "notification"
    if isinstance(message, ChatMessage):
        return message.role.lower()
    return _ROLES.get(message.type, message.type)


def _is_human(message: BaseMessage) -> bool:
    if isinstance(message, ChatMessage):
        return message.role.lower() in _HUMAN_ROLES
    typed = not isinstance(message.additional_kwargs.get(_SOURCE), str)
    return isinstance(message, HumanMessage) and typed
