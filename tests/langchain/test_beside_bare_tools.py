"""Tools of a routed model do what those of the bare model do: same requests, same answers."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_openai")
pytest.importorskip("langgraph.prebuilt")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableBinding, RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from routellm_plugins.langchain import ChatRouteLLM
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.clients import client

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # create_react_agent is deprecated, and widely used
    from langgraph.prebuilt import create_react_agent

pytestmark = [
    pytest.mark.usefixtures("fresh"),
    # Of the OpenAI client, and of LangGraph, also without routing.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore:create_react_agent has been moved"),
]

Model = Any
Do = Callable[[Model], Any]


class City(BaseModel):
    """A city."""

    name: str


def look_up(city: str) -> str:
    """Look a city up."""
    return "seen"


def multiply(a: int, b: int) -> int:
    """Multiply."""
    return a * b


def _said(message: Any) -> Any:
    return message.content, [(call["name"], call["args"]) for call in message.tool_calls]


def _without_ids(requests: list[dict[str, Any]]) -> Any:
    return json.loads(re.sub(r"call_[0-9a-f]+", "call_id", json.dumps(requests)))


def _react(model: Model, tools: list[Any], **options: Any) -> Any:
    state = create_react_agent(model, tools, **options).invoke({"messages": [("human", HARD)]})
    return [message.content for message in state["messages"]], state.get("structured_response")


def _named(model: Model) -> Any:
    # As langgraph-supervisor's include_agent_name="inline" does.
    return RunnableLambda(lambda messages: messages) | model | RunnableLambda(lambda said: said)


WAYS: dict[str, Do] = {
    "tools": lambda m: _said(m.bind_tools([look_up]).invoke(HARD)),
    "tools, one of them forced": lambda m: _said(
        m.bind_tools([look_up, multiply], tool_choice="multiply").invoke(HARD)
    ),
    "tools, none at this call": lambda m: _said(
        m.bind_tools([look_up], tool_choice="any").invoke(HARD, tool_choice="none")
    ),
    "tools, others at this call": lambda m: _said(
        m.bind_tools([look_up]).invoke(HARD, tools=[OTHER])
    ),
    "tools and what a call takes": lambda m: _said(
        m.bind_tools([look_up], parallel_tool_calls=False, seed=7).invoke(HARD)
    ),
    "structured output after tools": lambda m: (
        m.bind_tools([look_up]).with_structured_output(City).invoke(HARD)
    ),
    "structured output by tools after tools": lambda m: (
        m.bind_tools([look_up], tool_choice="any")
        .with_structured_output(City, method="function_calling")
        .invoke(HARD)
    ),
    "tools after others that were forced": lambda m: _said(
        m.bind_tools([look_up], tool_choice="look_up").bind_tools([multiply]).invoke(HARD)
    ),
    "an agent with tools and a form": lambda m: _react(m, [look_up], response_format=City),
    "an agent whose model has its tools": lambda m: _react(
        m.bind_tools([look_up]), [look_up], response_format=City
    ),
    "an agent whose model has its tools and is in a sequence": lambda m: _react(
        _named(m.bind_tools([look_up])), [look_up]
    ),
}
OTHER = {
    "type": "function",
    "function": {"name": "other", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def models(strong: Upstream, weak: Upstream) -> tuple[ChatOpenAI, ChatOpenAI]:
    return client(strong), client(weak)


def _with_a_tool(model: ChatOpenAI) -> Any:
    return model.bind_tools([multiply], tool_choice="multiply")


@pytest.mark.parametrize("do", WAYS.values(), ids=WAYS)
def test_what_is_sent_and_answered(models: Any, strong: Upstream, do: Do) -> None:
    answer = do(models[0])
    sent = _without_ids(strong.requests)
    strong.requests.clear()
    assert do(ChatRouteLLM(*models, router="length", threshold=0.8)) == answer
    assert _without_ids(strong.requests) == sent


@pytest.mark.parametrize("way", [way for way in WAYS if "at this call" not in way])
def test_tools_that_the_models_have_are_replaced(models: Any, strong: Upstream, way: str) -> None:
    answer = WAYS[way](models[0])
    sent = _without_ids(strong.requests)
    strong.requests.clear()
    routed = ChatRouteLLM(*map(_with_a_tool, models), router="length", threshold=0.8)
    assert WAYS[way](routed) == answer
    assert _without_ids(strong.requests) == sent


def test_tools_are_read_from_the_binding(models: Any) -> None:
    routed = ChatRouteLLM(*models, router="length", threshold=0.8)
    for options in ({}, {"tool_choice": "look_up"}, {"parallel_tool_calls": False}):
        bare = models[0].bind_tools([look_up], **options)
        bound = routed.bind_tools([look_up], **options)
        assert isinstance(bound, RunnableBinding)
        assert isinstance(bound.bound, ChatRouteLLM)
        assert bound.bound is routed
        assert bound.kwargs == bare.kwargs


async def test_every_way_to_call_has_the_tools(models: Any, strong: Upstream) -> None:
    routed = ChatRouteLLM(*models, router="length", threshold=0.8)
    bound = routed.bind_tools([look_up], tool_choice="any")
    bare = models[0].bind_tools([look_up], tool_choice="any")
    for model in (bare, bound):
        strong.requests.clear()
        model.invoke(HARD)
        await model.ainvoke(HARD)
        model.batch([HARD, HARD])
        await model.abatch([HARD])
        list(model.stream(HARD))
        assert [chunk async for chunk in model.astream(HARD)]
        assert len(strong.requests) == 7
        assert all(len(request["tools"]) == 1 for request in strong.requests)
        assert {request["tool_choice"] for request in strong.requests} == {"required"}


def test_a_binding_can_be_bound_again(models: Any, strong: Upstream, weak: Upstream) -> None:
    routed = ChatRouteLLM(*models, router="length", threshold=0.8)
    bound = routed.bind_tools([look_up]).bind(seed=7).with_config(tags=["mine"])
    bound.bind(threshold=0.1).invoke(EASY)
    assert (len(strong.requests), strong.requests[0]["seed"]) == (1, 7)
    bound.invoke([HumanMessage(EASY)])
    assert [each["function"]["name"] for each in weak.requests[0]["tools"]] == ["look_up"]


def test_tools_follow_the_models_of_the_one_that_is_called(
    models: Any, strong: Upstream, weak: Upstream
) -> None:
    routed = ChatRouteLLM(*models, router="length", threshold=0.8)
    arguments = routed.bind_tools([look_up]).kwargs
    warmer: BaseChatModel = models[0].model_copy(update={"temperature": 0.9})
    other = ChatRouteLLM(warmer, models[1], router="length", threshold=0.8)
    other.bind(**arguments).invoke(HARD)
    assert strong.requests[0]["temperature"] == 0.9
    assert strong.requests[0]["tools"] == arguments["tools"]
