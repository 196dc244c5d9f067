"""RouteLLMMiddleware in threads: what is kept of a decision from step to step and turn to turn."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.middleware import (
    HumanInTheLoopMiddleware,
    before_agent,
)
from langchain_core.messages import HumanMessage, RemoveMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command
from openai import APIError

from routellm_plugins.langchain import RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, Decisions, asked, lookup, made, who
from tests.langchain.clients import client

pytestmark = pytest.mark.usefixtures("fresh")


def test_each_turn_of_a_thread_is_decided_anew(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    agent = create_agent(
        gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)], checkpointer=InMemorySaver()
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    went = [who(agent.invoke(asked(text), thread)) for text in (EASY, HARD, EASY)]
    assert went == [["gpt-4o-mini"], ["gpt-4o"], ["gpt-4o-mini"]]


async def test_a_sticky_conversation_stays_strong_across_a_checkpointer(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    agent = create_agent(
        gpt_4o,
        middleware=[RouteLLMMiddleware(mini, sticky="conversation", **LENGTH)],
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    outputs = [await agent.ainvoke(asked(text), thread) for text in (EASY, HARD, EASY)]
    assert [who(output) for output in outputs] == [["gpt-4o-mini"], ["gpt-4o"], ["gpt-4o"]]
    assert made(outputs[-1])["cause"] == "conversation"
    other: Any = {"configurable": {"thread_id": "2"}}
    assert who(await agent.ainvoke(asked(EASY), other)) == ["gpt-4o-mini"]


def test_a_sticky_conversation_is_known_by_the_messages_an_application_keeps(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    agent = create_agent(
        gpt_4o, middleware=[RouteLLMMiddleware(mini, sticky="conversation", **LENGTH)]
    )
    history = agent.invoke(asked(HARD))["messages"]
    assert who(agent.invoke({"messages": [*history, HumanMessage(EASY)]})) == ["gpt-4o"]


@pytest.mark.parametrize("scored", ["last", "system+last"])
def test_a_sticky_conversation_outlives_its_messages(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, scored: Any
) -> None:
    @before_agent
    def forget(state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), state["messages"][-1]]}

    agent = create_agent(
        gpt_4o,
        middleware=[
            forget,
            RouteLLMMiddleware(mini, sticky="conversation", scored=scored, **LENGTH),
        ],
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": f"outlives, {scored}"}}
    outputs = [agent.invoke(asked(text), thread) for text in (HARD, EASY, EASY)]
    assert [who(output) for output in outputs] == [["gpt-4o"]] * 3
    assert len(outputs[-1]["messages"]) == 2


def test_the_decision_is_private_to_the_agent(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    agent = create_agent(
        gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)], checkpointer=InMemorySaver()
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    injected: Any = {**asked(EASY), "routellm": {"tier": "strong"}}
    output = agent.invoke(injected, thread)
    assert set(output) == {"messages"}
    assert "routellm" not in str(agent.get_input_jsonschema())
    assert "routellm" not in str(agent.get_output_jsonschema())
    kept = agent.get_state(thread).values["routellm"]
    assert kept == made(output)
    assert {type(value) for value in kept.values()} <= {str, float, type(None)}


def test_a_turn_that_was_interrupted_goes_on_with_its_model(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, decisions: Decisions
) -> None:
    approve = HumanInTheLoopMiddleware(interrupt_on={"lookup": True})
    agent = create_agent(
        gpt_4o,
        [lookup],
        middleware=[RouteLLMMiddleware(mini, **LENGTH), approve],
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
    assert "__interrupt__" in agent.invoke(asked(EASY), thread)
    output = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread)
    assert who(output) == ["gpt-4o-mini", "gpt-4o-mini"]
    assert len(decisions.made) == 1


def test_a_turn_that_began_without_the_middleware_is_decided_when_it_goes_on(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    approve = HumanInTheLoopMiddleware(interrupt_on={"lookup": True})
    memory = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    before = create_agent(gpt_4o, [lookup], middleware=[approve], checkpointer=memory)
    before.invoke(asked(EASY), thread)
    after = create_agent(
        gpt_4o,
        [lookup],
        middleware=[RouteLLMMiddleware(mini, **LENGTH), approve],
        checkpointer=memory,
    )
    output = after.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread)
    assert who(output) == ["gpt-4o", "gpt-4o-mini"]


def test_a_thread_that_another_version_wrote_goes_on(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    routing = RouteLLMMiddleware(mini, sticky="conversation", **LENGTH)
    agent = create_agent(gpt_4o, middleware=[routing], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    agent.invoke(asked(EASY), thread)
    agent.update_state(thread, {"routellm": {"tier": "strong", "renamed": 1}}, as_node="model")
    assert who(agent.invoke(asked(EASY), thread)) == ["gpt-4o-mini"]


def test_a_failed_turn_goes_on_with_its_model_in_an_agent_made_anew(
    strong: Upstream, mini: ChatOpenAI, weak: Upstream
) -> None:
    routing, memory = RouteLLMMiddleware(mini, **LENGTH), InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}

    def agent() -> Any:
        return create_agent(client(strong), middleware=[routing], checkpointer=memory)

    weak.failing_with = 500
    with pytest.raises(APIError, match="fails on purpose"):
        agent().invoke(asked(EASY), thread)
    weak.failing_with = None
    output = agent().invoke(None, thread)
    assert who(output) == ["gpt-4o-mini"]
    assert list(agent().get_state(thread).values) == ["messages", "routellm"]
