"""Chat engines: each turn is routed by what the human says in it."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.memory import ChatMemoryBuffer

from tests.llama_index.routed import EASY, HARD, TIER, Routed, index

ASKING_ONCE = ["simple", "context"]
CONDENSING = ["condense_plus_context", "best"]
MODES = [*ASKING_ONCE, *CONDENSING, "condense_question"]


def chat(mode: str, llm: Any) -> Any:
    # The default memory leaves its SQLite connection to the garbage collector.
    memory = ChatMemoryBuffer.from_defaults(token_limit=3000)
    return index(1).as_chat_engine(chat_mode=mode, llm=llm, memory=memory)


def test_all_chat_modes_are_here():
    assert {*MODES, "react", "openai"} == {mode.value for mode in ChatMode}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_first_turn_is_one_decision(mode: str, question: str, pair: Routed):
    answer = str(chat(mode, pair.llm()).chat(question))
    assert answer.startswith(pair.model(TIER[question]).model)
    assert set(pair.texts) == {question}
    counts = pair.answered()
    assert counts[TIER[question]] == sum(counts.values())


@pytest.mark.parametrize("mode", ASKING_ONCE)
def test_turns_are_routed_each_by_its_own_words(mode: str, pair: Routed):
    engine = chat(mode, pair.llm())
    for question in (HARD, EASY, HARD):
        assert str(engine.chat(question)).startswith(f"{pair.model(TIER[question]).model} here")
        assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 1}
    assert pair.texts == [HARD, EASY, HARD]


@pytest.mark.parametrize("mode", ASKING_ONCE)
async def test_async_turns_are_routed_each_by_its_own_words(mode: str, pair: Routed):
    engine = chat(mode, pair.llm())
    for question in (HARD, EASY):
        response = await engine.achat(question)
        assert str(response).startswith(f"{pair.model(TIER[question]).model} here")
    assert pair.texts == [HARD, EASY]


@pytest.mark.parametrize("mode", MODES)
def test_streaming_a_first_turn_is_one_decision(mode: str, pair: Routed):
    for question in (HARD, EASY):
        tokens = list(chat(mode, pair.llm()).stream_chat(question).response_gen)
        assert len(tokens) > 5
        assert "".join(tokens).startswith(f"{pair.model(TIER[question]).model} here")
    assert set(pair.texts) == {HARD, EASY}


@pytest.mark.parametrize("mode", MODES)
async def test_async_streaming_a_first_turn_is_one_decision(mode: str, pair: Routed):
    for question in (HARD, EASY):
        response = await chat(mode, pair.llm()).astream_chat(question)
        tokens = [token async for token in response.async_response_gen()]
        assert len(tokens) > 5
        assert "".join(tokens).startswith(f"{pair.model(TIER[question]).model} here")
    assert set(pair.texts) == {HARD, EASY}


@pytest.mark.parametrize("mode", CONDENSING)
@pytest.mark.parametrize("question", [EASY, HARD])
def test_condensing_a_later_turn_goes_where_the_turn_goes(mode: str, question: str, pair: Routed):
    other = EASY if question == HARD else HARD
    engine = chat(mode, pair.llm())
    engine.chat(other)
    pair.answered()
    pair.reply({"Standalone question": other})
    engine.chat(question)
    assert pair.texts == [other, question, question]
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 2}


@pytest.mark.parametrize("mode", CONDENSING)
async def test_async_condensing_a_later_turn_goes_where_the_turn_goes(mode: str, pair: Routed):
    engine = chat(mode, pair.llm())
    await engine.achat(HARD)
    pair.answered()
    await engine.achat(EASY)
    assert pair.answered() == {"strong": 0, "weak": 2}


def test_a_rewritten_question_is_a_question_of_its_own(pair: Routed):
    engine = chat("condense_question", pair.llm())
    engine.chat(EASY)
    pair.answered()
    pair.reply({"Standalone question": HARD})
    engine.chat("And why?")
    assert pair.texts[-2:] == ["And why?", HARD]
    assert pair.answered() == {"strong": 1, "weak": 1}


@pytest.mark.parametrize("mode", MODES)
def test_the_models_are_sent_what_they_are_sent_without_routing(mode: str, pair: Routed):
    sent = []
    pair.reply({"<Standalone question>": HARD})
    for llm in (pair.bare("strong"), pair.llm()):
        engine = chat(mode, llm)
        for _ in range(2):
            engine.chat(HARD)
        sent.append([request["messages"] for request in pair.strong.requests])
        pair.forget()
    assert sent[0] == sent[1] != []
