"""Which words of LangChain messages are scored."""

from __future__ import annotations

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue

from routellm_core import Asked, PolicySettings
from routellm_plugins.langchain.asking.calls import asked_by, asked_in

TURN = PolicySettings(threshold=0.5)
CONVERSATION = PolicySettings(threshold=0.5, sticky="conversation")
ASKED = HumanMessage("Why is the sky blue?")
CALL = AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}])
IMAGE = {"type": "image", "url": "https://example.org/sky.png"}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], None),
        ([SystemMessage("Be brief.")], None),
        ([SystemMessage("Be brief."), AIMessage("Hello")], None),
        ([SystemMessage("Be brief."), ASKED], ASKED.content),
        ([ASKED, AIMessage("Rayleigh."), HumanMessage("And the sea?")], "And the sea?"),
        ([ASKED, CALL, ToolMessage("Forty pages", tool_call_id="1")], ASKED.content),
        ([HumanMessageChunk(content="a")], "a"),
        ([ChatMessage("a", role="user"), ChatMessage("b", role="critic")], "a"),
        ([HumanMessage("a", name="user"), HumanMessage("b", name="critic")], "a"),
        ([HumanMessage("a"), AIMessage("so"), HumanMessage("b", name="Ann")], "b"),
        ([HumanMessage("a"), HumanMessage("b", name="researcher")], "a"),
        (
            [ASKED, ChatMessage("x", role="Assistant"), HumanMessage("Observation: y")],
            ASKED.content,
        ),
        ([HumanMessage(["what is", {"type": "text", "text": "this?"}, IMAGE])], "what is\nthis?"),
        ([ASKED, HumanMessage([IMAGE])], None),
        ([ASKED, HumanMessage("  ")], None),
        ([ASKED, HumanMessage([{"type": "tool_result", "content": "x"}])], ASKED.content),
    ],
)
def test_the_text_of_the_humans_last_message(messages, text):
    turns = asked_in(messages, TURN, {}).turns
    assert (turns[-1] or None if turns else None) == text


@pytest.mark.parametrize(
    "model_input",
    [
        "Why?",
        StringPromptValue(text="Why?"),
        ChatPromptValue(messages=[HumanMessage("Why?")]),
        [HumanMessage("Why?")],
        (("system", "Be brief."), ("human", "Why?")),
        [{"role": "user", "content": "Why?"}],
        ["Why?"],
    ],
)
def test_every_form_of_input(model_input):
    assert asked_by(model_input, TURN, {}).turns == ("Why?",)


def test_what_is_no_input_has_no_text():
    assert asked_by(3, TURN, {}) == Asked()


def answered(tier: str) -> AIMessage:
    return AIMessage("Rayleigh.", response_metadata={"routellm": {"tier": tier}})


def test_a_conversation_is_named_by_its_thread_or_its_beginning():
    def session(*messages, **configurable):
        return asked_by(list(messages), CONVERSATION, configurable).session

    brief = SystemMessage("Be brief.")
    begun = session(brief, ASKED)
    assert begun is not None
    assert session(brief, ASKED, AIMessage("Rayleigh."), HumanMessage("And the sea?")) == begun
    assert session(ASKED) != begun
    assert session(ASKED, thread_id="7") == session(HumanMessage("Else"), thread_id="7")
    assert asked_by([brief, ASKED], TURN, {}).session is None


def test_answers_that_say_who_gave_them_settle_a_conversation():
    later = [ASKED, answered("weak"), HumanMessage("And the sea?")]
    assert asked_by(later, CONVERSATION, {}) == Asked((str(ASKED.content), "And the sea?"))
    later[1] = answered("strong")
    settled = asked_by(later, CONVERSATION, {})
    assert (settled.settled, settled.cause) == ("strong", "conversation")
    assert asked_by(later, TURN, {}).settled is None


@pytest.mark.parametrize("role", ["system", "Developer"])
def test_system_messages_of_any_class_are_read(role):
    settings = PolicySettings(threshold=0.5, scored="system+last")
    assert asked_in([ChatMessage("Be brief.", role=role), ASKED], settings, {}).before
