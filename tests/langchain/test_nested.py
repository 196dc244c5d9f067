"""Three models: a router as one of the models of another. Every place tells the same decisions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH
from tests.langchain.starts import Starts

pytestmark = pytest.mark.usefixtures("fresh")

SHORT = "Hi"
WENT = {SHORT: ("weak", "weak"), EASY: ("weak", "strong"), HARD: ("strong", None)}
"""The outer and the inner decision by text."""
_conversations = itertools.count()


def three(gpt_4o: Any, mini: Any, **settings: Any) -> ChatRouteLLM:
    small = FakeListChatModel(responses=["small"] * 9)
    low = ChatRouteLLM(mini, small, router="length", threshold=0.4, **settings)
    return ChatRouteLLM(gpt_4o, low, **LENGTH, **settings)


async def _collected(chunks: Any) -> Any:
    return [chunk async for chunk in chunks][0]  # noqa: RUF015


WAYS: dict[str, Callable[[ChatRouteLLM, Any, Any], Any]] = {
    "invoke": lambda llm, q, c: llm.invoke(q, c),
    "ainvoke": lambda llm, q, c: llm.ainvoke(q, c),
    "stream": lambda llm, q, c: next(iter(list(llm.stream(q, c)))),
    "astream": lambda llm, q, c: _collected(llm.astream(q, c)),
    "batch": lambda llm, q, c: llm.batch([q, q], c)[1],
    "generate": lambda llm, q, c: (
        llm.generate([[HumanMessage(q)]], **c).generations[0][0].message  # type: ignore[union-attr]
    ),
    "retried": lambda llm, q, c: llm.with_retry().invoke(q, c),
}


async def _said(answer: Any) -> Any:
    return await answer if hasattr(answer, "__await__") else answer


def _decisions(message: Any) -> tuple[Any, Any]:
    made = message.response_metadata["routellm"]
    return made["tier"], (made.get("then") or {}).get("tier")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", WENT)
async def test_message_and_trace_tell_the_same(gpt_4o: Any, mini: Any, way: str, text: str) -> None:
    runs = Starts()
    message = await _said(WAYS[way](three(gpt_4o, mini), text, {"callbacks": [runs]}))
    assert _decisions(message) == WENT[text]
    for metadata in runs.metadata:
        tiers = metadata["routellm_tier"], metadata.get("routellm_then_tier")
        assert tiers == WENT[text]
    made = message.response_metadata["routellm"]
    assert made["threshold"] == 0.8
    if "then" in made:
        assert made["then"]["threshold"] == 0.4


async def test_an_override_is_for_the_outermost(gpt_4o: Any, mini: Any) -> None:
    llm = three(gpt_4o, mini)
    overrides: list[dict[str, Any]] = [
        {"threshold": 0.9},
        {"config": {"configurable": {"routellm_threshold": 0.9}}},
        {"model": "router-length-0.9"},
    ]
    for override in overrides:
        for message in (
            llm.invoke(EASY, **override),
            await llm.ainvoke(EASY, **override),
            next(iter(list(llm.stream(EASY, **override)))),
        ):
            made = message.response_metadata["routellm"]
            assert (made["threshold"], made["then"]["threshold"]) == (0.9, 0.4)
            assert _decisions(message) == ("weak", "strong")


@pytest.mark.parametrize("keeps", ["messages", "text"])
def test_each_level_remembers_what_it_decided(gpt_4o: Any, mini: Any, keeps: str) -> None:
    llm = three(gpt_4o, mini, sticky="conversation")
    history: list[Any] = [SystemMessage(f"Conversation {next(_conversations)}.")]
    went = []
    for text in (SHORT, EASY, "Bye", HARD, "Bye"):
        history.append(HumanMessage(text))
        answer = llm.invoke(history)
        went.append(_decisions(answer))
        history.append(answer if keeps == "messages" else ("ai", answer.content or "Yes."))
    assert went == [
        ("weak", "weak"),
        ("weak", "strong"),
        ("weak", "strong"),
        ("strong", None),
        ("strong", None),
    ]


def test_a_router_as_the_model_of_an_agent_that_is_routed(gpt_4o: Any, mini: Any) -> None:
    small = FakeListChatModel(responses=["small"] * 9)
    low = ChatRouteLLM(mini, small, router="length", threshold=0.4)
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(low, **LENGTH)])
    runs = Starts()
    config: Any = {"callbacks": [runs]}
    for text, tiers in WENT.items():
        answer = agent.invoke({"messages": [HumanMessage(text)]}, config)["messages"][-1]
        assert _decisions(answer) == tiers
        metadata = runs.metadata[-1]
        assert (metadata["routellm_tier"], metadata.get("routellm_then_tier")) == tiers


def test_tools_and_structured_output_reach_the_innermost(gpt_4o: Any, mini: Any, weak: Any) -> None:
    def look_up(city: str) -> str:
        """Look a city up."""
        return city

    low = ChatRouteLLM(mini, gpt_4o, router="length", threshold=0.4)
    llm = ChatRouteLLM(gpt_4o, low, **LENGTH)
    message = llm.bind_tools([look_up]).invoke(EASY)
    assert (message.tool_calls[0]["name"], _decisions(message)) == ("look_up", ("weak", "strong"))
    schema = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}}
    output = llm.with_structured_output(schema, include_raw=True).invoke(EASY)
    assert _decisions(output["raw"]) == ("weak", "strong")
    assert len(weak.requests) == 2
