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

from routellm_plugins.langchain.message_text import human_text, input_messages

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
        ([HumanMessage(["what is", {"type": "text", "text": "this?"}, IMAGE])], "what is\nthis?"),
        ([ASKED, HumanMessage([IMAGE])], None),
        ([ASKED, HumanMessage("  ")], None),
        ([ASKED, HumanMessage([{"type": "tool_result", "content": "x"}])], ASKED.content),
    ],
)
def test_the_text_of_the_humans_last_message(messages, text):
    assert human_text(messages) == text


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
    assert human_text(input_messages(model_input)) == "Why?"


def test_what_is_no_input_has_no_text():
    assert input_messages(3) == []
