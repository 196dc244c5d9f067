"""Which words of a call are scored: the question, not what an engine wrapped around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from llama_index.core.agent.workflow.prompts import DEFAULT_STATE_PROMPT
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.chat_engine.condense_plus_context import DEFAULT_CONDENSE_PROMPT_TEMPLATE
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.retrievers.fusion_retriever import QUERY_GEN_PROMPT

from routellm_core import Tier

from .settings import RouteSettings


@dataclass(frozen=True)
class Asked:
    """What a call is about."""

    text: str | None
    """The words to score; None if there are none."""
    tier: Tier | None = None
    """Where the call goes without a score, because it holds no question."""


def asked_in_text(prompt: str) -> Asked:
    """Return what a prompt in one piece asks.

    Engines and agents that hand over what they filled in themselves (to condense a follow-up
    question, to write search queries, to tell an agent's state, to put its answer in a form) are
    read back, so that the question alone is scored.
    """
    text = prompt.lstrip()
    for filled in _FILLED:
        if text.startswith(filled.start):
            _, found, rest = text.rpartition(filled.before)
            if found:
                question = rest.partition(filled.after)[0] if filled.after else rest
                return Asked(question.strip())
    return Asked(prompt)


def asked_in_chat(messages: Sequence[ChatMessage]) -> Asked:
    """Return what the human's last message asks; text parts are joined by newlines.

    What an agent says in the human's place (an observation of ReAct, the output of code, a
    complaint about the model's format) is passed over, so that the later steps of an agent
    give the same text, and the same decision, as its first.
    """
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if message.role != MessageRole.USER:
            continue
        text = "\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))
        if not _is_an_agents(text, messages[at - 1] if at else None):
            return asked_in_text(text)
    return Asked(None)


def asked_of_tools(
    user_msg: str | ChatMessage | None, chat_history: Sequence[ChatMessage] | None
) -> Asked:
    """Return what a call with tools asks; ``user_msg`` comes after the history."""
    if isinstance(user_msg, str):
        return asked_in_text(user_msg)
    return asked_in_chat([*(chat_history or ()), *([user_msg] if user_msg else ())])


def asked_in_template(
    prompt: BasePromptTemplate, arguments: Mapping[str, Any], llm: LLM, settings: RouteSettings
) -> Asked:
    """Return what a template asks.

    Args:
        prompt: the template.
        arguments: what it is to be filled with.
        llm: for templates that depend on the LLM.
        settings: which variables hold a question, and where templates without one go.

    Returns:
        The first of ``query_keys`` that has text; what a conversation without variables asks;
        else what ``utility`` says.
    """
    given = {**prompt.kwargs, **arguments}
    for key in settings.query_keys:
        question = given.get(key)
        if isinstance(question, str) and question.strip():
            return Asked(question)
    if given and settings.utility != "score":
        return Asked(None, settings.utility)
    return asked_in_chat(prompt.format_messages(llm=llm, **arguments))


def _is_an_agents(text: str, before: ChatMessage | None) -> bool:
    if text.startswith("Observation: "):
        # A human may begin like this too, but not after a step of ReAct.
        return before is not None and (before.content or "").startswith("Thought: ")
    return any(text.startswith(start) and more in text for start, more in _SAID_BY_AGENTS)


class _Filled(NamedTuple):
    """How to find the question in a filled template; without regular expressions, because some
    take hours for texts that are made to.
    """

    start: str
    before: str
    after: str

    @classmethod
    def template(cls, template: str, question: str) -> _Filled:
        """Return it for a template of LlamaIndex and the variable that holds the question."""
        before, _, after = template.lstrip().partition(f"{{{question}}}")
        start, _, rest = before.partition("{")
        return cls(start, rest.rpartition("}")[2], after.strip())


_SAID_BY_AGENTS = (
    ("Error while parsing the output: ", "The output should be in one of the following formats:"),
    ("FAILURE: Your previous response was empty.", ""),
    ("Result of executing the code given:\n\n", ""),
)
"""How it begins, and what else is in it where a human may begin like that too."""
_FILLED = (
    _Filled.template(DEFAULT_CONDENSE_PROMPT_TEMPLATE, "question"),
    _Filled.template(QUERY_GEN_PROMPT, "query"),
    _Filled.template(DEFAULT_STATE_PROMPT, "msg"),
    # The conversation of an agent, whose answer is to take the form of its output_cls.
    _Filled("<current_conversation>", "<user>\n\n\t\t<message>", "</message>"),
)
