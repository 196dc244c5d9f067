"""With ``sticky="conversation"``, one that went to the strong model stays there."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer

from routellm_core.policy.conversations import Conversations
from routellm_plugins.llama_index import route_on
from tests.llama_index.calls import TOOL
from tests.llama_index.routed import EASY, HARD, Routed, index


@pytest.fixture(autouse=True)
def _no_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routellm_core.policy.policy.conversations", Conversations())


def talk(*words: str) -> list[ChatMessage]:
    """Return a conversation with an answer after each word of the human but the last."""
    messages = [ChatMessage("Be brief.", role="system")]
    for said in words:
        messages += [ChatMessage(said, role="user"), ChatMessage("Well.", role="assistant")]
    return messages[:-1]


def where(pair: Routed) -> list[tuple[str, str]]:
    return [(decision.tier, decision.cause) for decision in pair.decisions]


def test_a_chat_stays_with_the_strong_model(pair: Routed):
    llm = pair.llm(sticky="conversation")
    for messages in (talk("Hi"), talk("Hi", HARD), talk("Hi", HARD, EASY), talk("Hello", EASY)):
        llm.chat(messages)
    llm.chat_with_tools([TOOL], EASY, chat_history=talk("Hi", HARD))
    assert where(pair) == [
        ("weak", "score"),
        ("strong", "score"),
        ("strong", "conversation"),
        ("weak", "score"),
        ("strong", "conversation"),
    ]


def test_each_turn_is_decided_by_its_own_words_unless_set_otherwise(pair: Routed):
    llm = pair.llm()
    llm.chat(talk("Hi", HARD))
    llm.chat(talk("Hi", HARD, EASY))
    assert [tier for tier, _ in where(pair)] == ["strong", "weak"]


async def test_async_streams_stay_too(pair: Routed):
    llm = pair.llm(sticky="conversation")
    for messages in (talk(HARD), talk(HARD, EASY)):
        assert [chunk async for chunk in await llm.astream_chat(messages)]
    assert pair.answered() == {"strong": 2, "weak": 0}


@pytest.mark.parametrize("mode", ["simple", "context", "condense_plus_context"])
def test_a_chat_engine_stays_with_the_strong_model(mode: Any, pair: Routed):
    # LlamaIndex's default memory leaves a database open.
    memory = ChatMemoryBuffer.from_defaults()
    llm = pair.llm(sticky="conversation")
    engine = index().as_chat_engine(mode, llm=llm, memory=memory)
    engine.chat(HARD)
    pair.decisions.clear()
    engine.chat(EASY)
    assert where(pair)[-1] == ("strong", "conversation")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_another_system_message_is_another_conversation(role: str, pair: Routed):
    llm = pair.llm(sticky="conversation")
    llm.chat(talk(HARD))
    llm.chat([ChatMessage("Be thorough.", role=role), *talk(HARD, EASY)[1:]])
    assert where(pair)[-1] == ("weak", "score")


def test_route_on_does_not_end_a_conversation(pair: Routed):
    llm = pair.llm(sticky="conversation")
    llm.chat(talk(HARD))
    with route_on(EASY):
        llm.chat(talk(HARD, EASY))
    assert where(pair)[-1] == ("strong", "conversation")
