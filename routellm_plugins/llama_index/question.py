"""Which words of a call are scored: the question, not what an engine wrapped around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from routellm_core import Asked
from routellm_core.policy.conversations import session_of
from routellm_core.prompt.harness import takes_note
from routellm_core.prompt.reading import asked_in
from routellm_core.prompt.side_calls import side_call
from routellm_core.prompt.templates import question_in_template

from .answers import tier_of_answers
from .settings import RouteSettings


def asked_in_text(prompt: str, settings: RouteSettings) -> Asked:
    """Return what a prompt in one piece asks.

    Engines and agents hand over templates that they filled in themselves (to condense a follow-up
    question, to write search queries, to state an agent's memory, to give its answer a form). The
    question is found in those, and it alone is scored.
    """
    said = [{"role": "user", "content": prompt}]
    return side_call(said, settings) or asked_in(said, settings)


def asked_in_chat(messages: Sequence[ChatMessage], settings: RouteSettings) -> Asked:
    """Return what the human asks, turn by turn; text parts are joined by newlines.

    What an agent says in the human's place (an observation of ReAct, the output of code, a
    complaint about the model's format) is passed over, so that the later steps of an agent
    give the same text, and the same decision, as its first. Where nothing of the human is left,
    the call goes where the last answer came from, if that is known.
    """
    chat = [{"role": m.role.value, "content": _text(m)} for m in messages]
    side = side_call(chat, settings)
    if side is not None:
        return side
    asked = asked_in(list(_as_chat(messages)), settings, chat)
    if not asked.turns and (tier := tier_of_answers(messages)):
        # Trimmed in the middle of a loop, which stays where its last answer came from.
        asked = replace(asked, without_text=tier, cause="conversation")
    if settings.sticky == "turn":
        return asked
    return replace(asked, session=_session(messages), begins=_begins(messages))


def with_last(
    user_msg: str | ChatMessage | None, chat_history: Sequence[ChatMessage] | None
) -> list[ChatMessage]:
    """Return the messages of a call with tools: ``user_msg`` comes after the history."""
    if isinstance(user_msg, str):
        user_msg = ChatMessage(user_msg, role=MessageRole.USER)
    return [*(chat_history or ()), *([user_msg] if user_msg else ())]


def asked_in_template(
    prompt: BasePromptTemplate, arguments: Mapping[str, Any], llm: LLM, settings: RouteSettings
) -> Asked:
    """Return what a template asks.

    Args:
        prompt: the template.
        arguments: the values of its variables.
        llm: for templates that depend on the LLM.
        settings: which variables hold a question, and where templates without one go.

    Returns:
        The first of ``query_keys`` that has text; what a conversation without variables asks;
        else nothing, with ``utility`` as where the call goes.
    """
    given = {**prompt.kwargs, **arguments}
    for key in settings.query_keys:
        question = given.get(key)
        if isinstance(question, str) and question.strip():
            question = _judged(question) or question
            # Chat engines put the conversation into such a template, and into its system message
            # what they retrieved for this turn.
            if settings.sticky == "conversation" and isinstance(prompt, ChatPromptTemplate):
                messages = prompt.format_messages(llm=llm, **arguments)
                session = _session([m for m in messages if m.role not in _SYSTEM])
                return Asked((question,), session=session, begins=_begins(messages))
            return Asked((question,))
    if given and settings.utility != "score":
        return Asked(without_text=settings.utility, cause="utility")
    return asked_in_chat(prompt.format_messages(llm=llm, **arguments), settings)


def _judged(query: str) -> str | None:
    """Return the question alone where RelevancyEvaluator asks a query engine about its answer."""
    label, _, rest = query.partition(": ")
    question, answered, _ = rest.partition("\nResponse: ")
    return question.strip() or None if label == "Question" and answered else None


def _as_chat(messages: Sequence[ChatMessage]) -> Iterator[dict[str, str]]:
    """Yield the human's and the tools' messages in OpenAI's form.

    Without those that an agent wrote in the human's place, and without answers, but for those that
    only take note of a message: what follows an answer is a tool's result for LlamaIndex only after
    a step of ReAct.
    """
    before: ChatMessage | None = None
    for message in messages:
        text = _text(message)
        if message.role == MessageRole.TOOL:
            yield {"role": "tool", "content": text}
        elif message.role == MessageRole.USER and not _is_an_agents(text, before):
            yield {"role": "user", "content": text}
        elif message.role == MessageRole.ASSISTANT and takes_note(text):
            yield {"role": "assistant", "content": text}
        before = message


def _begins(messages: Sequence[ChatMessage]) -> bool:
    return not any(message.role == MessageRole.ASSISTANT for message in messages)


def _session(messages: Sequence[ChatMessage]) -> str | None:
    """Return the name of a conversation, by its system message and the human's first message."""
    first = next((m for m in messages if m.role == MessageRole.USER), None)
    if first is None:
        return None
    system = next((m for m in messages if m.role in _SYSTEM), None)
    question = question_in_template(_text(first)) or _text(first)
    return session_of(_text(system) if system else "", question)


def _text(message: ChatMessage) -> str:
    return "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))


def _is_an_agents(text: str, before: ChatMessage | None) -> bool:
    if text.startswith("Observation: "):
        # A human may begin like this too, but not after a step of ReAct.
        return before is not None and (before.content or "").startswith("Thought: ")
    return any(text.startswith(start) and more in text for start, more in _SAID_BY_AGENTS)


_SYSTEM = (MessageRole.SYSTEM, MessageRole.DEVELOPER)
_SAID_BY_AGENTS = (
    ("Error while parsing the output: ", "The output should be in one of the following formats:"),
    ("FAILURE: Your previous response was empty.", ""),
    ("Result of executing the code given:\n\n", ""),
    ("<returncode>", "</returncode>"),
)
"""How each begins, and what else is in it where a human may begin like that too."""
