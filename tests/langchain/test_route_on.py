"""What `route_on` says holds for each input of a batch, and for streams that are consumed later."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.prompts import ChatPromptTemplate

from routellm_core import ConfigError
from routellm_plugins.langchain import ChatRouteLLM, route_on
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH
from tests.langchain.test_nested import three

pytestmark = pytest.mark.usefixtures("fresh")

TEXTS = [EASY, HARD, EASY]
TIERS = ["weak", "strong", "weak"]


@pytest.fixture
def llm(gpt_4o: Any, mini: Any) -> ChatRouteLLM:
    return ChatRouteLLM(gpt_4o, mini, **LENGTH)


def tiers(answers: Any) -> list[str]:
    return [answer.response_metadata["routellm"]["tier"] for answer in answers]


async def test_each_input_of_a_batch_has_its_text(llm: ChatRouteLLM) -> None:
    chain = ChatPromptTemplate.from_template("Of the report {report}?") | llm
    reports = [{"report": HARD}] * 3
    with route_on(TEXTS):
        assert tiers(llm.batch([HARD] * 3)) == TIERS
        assert tiers(await llm.abatch([HARD] * 3)) == TIERS
        assert tiers(chain.batch(reports)) == TIERS
        assert tiers(await chain.abatch(reports)) == TIERS
        completed = dict(llm.batch_as_completed([HARD] * 3))
        assert tiers(completed[at] for at in range(3)) == TIERS
    assert tiers(llm.batch([HARD])) == ["strong"]


def test_texts_and_inputs_are_as_many(llm: ChatRouteLLM) -> None:
    with route_on(TEXTS):
        with pytest.raises(ConfigError, match="route_on got 3 texts for 2 inputs"):
            llm.batch([HARD] * 2)
        with pytest.raises(ConfigError, match="got 3 texts for a single call"):
            llm.invoke(HARD)
        with pytest.raises(ConfigError, match="got 3 texts for a single call"):
            llm.stream(HARD)


async def test_it_holds_for_a_stream_that_is_consumed_later(llm: ChatRouteLLM) -> None:
    with route_on(HARD):
        stream, later = llm.stream(EASY), llm.astream(EASY)
    with route_on(EASY):
        assert tiers([next(stream)]) == ["strong"]
        first = [chunk async for chunk in later][0]  # noqa: RUF015
    assert tiers([first]) == ["strong"]
    with route_on(HARD):
        assert tiers([next(llm.stream(EASY))]) == ["strong"]
    assert tiers([next(llm.stream(EASY))]) == ["weak"]


async def test_a_nested_router_has_the_same_text(gpt_4o: Any, mini: Any, decisions: Any) -> None:
    llm = three(gpt_4o, mini)
    with route_on([EASY, HARD]):
        llm.batch(["Hi", "Hi"])
    # Both outer decisions, then that of the router in the weak model's place.
    assert [(each.tier, each.score) for each in decisions.made] == [
        ("weak", 0.5),
        ("strong", 1.0),
        ("strong", 0.5),
    ]
    decisions.made.clear()
    with route_on(EASY):
        stream, later = llm.stream("Hi"), llm.astream("Hi")
    next(stream)
    [chunk async for chunk in later]
    assert [(each.tier, each.score) for each in decisions.made] == [
        ("weak", 0.5),
        ("strong", 0.5),
    ] * 2
