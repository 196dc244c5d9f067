"""Which words of LangChain messages are scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, ChatMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue

from routellm_core import scored_text

_HUMAN_ROLES = ("user", "human")


def human_text(messages: Iterable[BaseMessage]) -> str | None:
    """Return the text a router judges: the text parts of the human's last message.

    Follows ``routellm_core.scored_text``: system prompts, answers, tool results, images and files
    are not scored, so every step of a tool loop gives the same text.

    Args:
        messages: a conversation.

    Returns:
        The text, parts joined by newlines; None if the human's last message has none, or there
        is no such message.
    """
    return scored_text({"role": "user", "content": m.content} for m in messages if _is_human(m))


def input_messages(model_input: LanguageModelInput) -> list[BaseMessage]:
    """Return what a chat model was given as messages; none if it is no input of a chat model,
    which is for the model that is called to say.

    Args:
        model_input: a string, a prompt value, or messages in any form LangChain takes.

    Raises:
        ValueError: a message has a form that no chat model takes.
    """
    if isinstance(model_input, str):
        return [HumanMessage(model_input)]
    if isinstance(model_input, PromptValue):
        return model_input.to_messages()
    if isinstance(model_input, Sequence):
        return convert_to_messages(model_input)
    return []  # type: ignore[unreachable]


def _is_human(message: BaseMessage) -> bool:
    if isinstance(message, ChatMessage):
        return message.role.lower() in _HUMAN_ROLES
    return isinstance(message, HumanMessage)
