"""Agents: a run is one decision, through all of its steps."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel

from routellm_plugins.llama_index import route_on
from tests.llama_index.routed import EASY, HARD, TIER, Routed, index

pytestmark = [
    # LlamaIndex's workflows look at every attribute of an agent, pydantic's deprecated ones too.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211"),
    pytest.mark.filterwarnings("ignore:ServiceManager is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]


def add(a: int, b: int) -> int:
    """Add two numbers. Prove it."""
    return a + b


def prove(claim: str) -> str:
    """Prove a claim."""
    return f"To prove {claim}, see above."


async def run(agent: Any, question: str) -> Any:
    # The default memory leaves its SQLite connection to the garbage collector.
    return await agent.run(question, memory=ChatMemoryBuffer.from_defaults(token_limit=3000))


class City(BaseModel):
    """A city."""

    name: str


REACT = {
    "Observation": "Thought: I can answer without using any more tools.\nAnswer: it is so",
    "?": 'Thought: I need a tool.\nAction: prove\nAction Input: {"claim": "it"}',
    "Prove": 'Thought: I need a tool.\nAction: prove\nAction Input: {"claim": "it"}',
}
"""A run of a ReAct agent: one call of a tool, then the answer."""


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("question", [EASY, HARD])
async def test_a_function_agents_run_is_one_decision(question: str, streaming: bool, pair: Routed):
    agent = FunctionAgent(tools=[prove, add], llm=pair.llm(), streaming=streaming)
    result = await run(agent, question)
    assert str(result).startswith(f"{pair.model(TIER[question]).model} here")
    assert [call.tool_name for call in result.tool_calls] == ["prove"]
    assert set(pair.texts) == {question}
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 2}


@pytest.mark.parametrize("question", [EASY, HARD])
async def test_putting_the_answer_in_a_form_is_part_of_the_run(question: str, pair: Routed):
    agent = FunctionAgent(tools=[prove], llm=pair.llm(), output_cls=City)
    result = await run(agent, question)
    assert result.structured_response == {"name": "example"}
    assert set(pair.texts) == {question}
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 3}


async def test_a_function_agent_streams_the_chosen_models_tokens(pair: Routed):
    memory = ChatMemoryBuffer.from_defaults(token_limit=3000)
    handler = FunctionAgent(tools=[add], llm=pair.llm()).run(HARD, memory=memory)
    deltas = [e.delta async for e in handler.stream_events() if isinstance(e, AgentStream)]
    await handler
    assert "".join(deltas).startswith("gpt-4o here")
    assert len(deltas) > 5


async def test_turns_of_an_agent_are_routed_each_by_its_own_words(pair: Routed):
    agent = FunctionAgent(tools=[add], llm=pair.llm())
    memory = ChatMemoryBuffer.from_defaults(token_limit=3000)
    for question in (HARD, EASY):
        await agent.run(question, memory=memory)
        assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 2}


async def test_what_an_agent_remembers_is_sent_as_without_routing(pair: Routed):
    sent = []
    for llm in (pair.bare("strong"), pair.llm()):
        memory = ChatMemoryBuffer.from_defaults(token_limit=3000)
        for question in (HARD, HARD):
            await FunctionAgent(tools=[add], llm=llm).run(question, memory=memory)
        sent.append([without_ids(request["messages"]) for request in pair.strong.requests])
        pair.forget()
    assert sent[0] == sent[1]
    assert len(sent[1][-1]) == 7


def without_ids(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in message.items() if key not in ("tool_calls", "tool_call_id")}
        for message in messages
    ]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("question", [EASY, HARD])
async def test_a_react_agents_observations_are_not_scored(
    question: str, streaming: bool, pair: Routed
):
    pair.reply(REACT)
    agent = ReActAgent(tools=[prove], llm=pair.llm(), streaming=streaming)
    result = await run(agent, question)
    assert str(result) == "it is so"
    assert [call.tool_name for call in result.tool_calls] == ["prove"]
    assert set(pair.texts) == {question}
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 2}


@pytest.mark.parametrize("question", [EASY, HARD])
async def test_the_output_of_an_agents_code_is_not_scored(question: str, pair: Routed):
    code = "<execute>print('prove it')</execute>"
    pair.reply({"Result of executing": "done", "?": code, "Prove": code})
    agent = CodeActAgent(lambda code: f"ran: {code}", llm=pair.llm())
    assert str(await run(agent, question)) == "done"
    assert set(pair.texts) == {question}
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 2}


async def test_route_on_holds_for_all_steps_of_a_run(pair: Routed):
    agent = FunctionAgent(tools=[add], llm=pair.llm())
    with route_on(EASY):
        await run(agent, HARD)
    assert set(pair.texts) == {EASY}
    assert pair.answered() == {"strong": 0, "weak": 2}


@pytest.mark.parametrize("question", [EASY, HARD])
async def test_a_workflow_that_hands_over_is_one_decision(question: str, pair: Routed):
    handover = ("handoff", {"to_agent": "second", "reason": "it can add"})
    pair.reply({"is now handling": ("add", {"a": 1, "b": 2}), "?": handover, "Prove": handover})
    llm = pair.llm()
    first = FunctionAgent(
        name="first", description="hands over", tools=[], llm=llm, can_handoff_to=["second"]
    )
    second = FunctionAgent(name="second", description="adds", tools=[add], llm=llm)
    result = await run(AgentWorkflow(agents=[first, second], root_agent="first"), question)
    assert result.current_agent_name == "second"
    assert set(pair.texts) == {question}
    assert pair.answered() == {"strong": 0, "weak": 0, TIER[question]: 3}


async def test_the_state_that_a_workflow_tells_is_not_scored(pair: Routed):
    workflow = AgentWorkflow(
        [FunctionAgent(tools=[add], llm=pair.llm())], initial_state={"task": "Prove it"}
    )
    await run(workflow, EASY)
    assert "Prove it" in str(pair.weak.requests[0]["messages"])
    assert set(pair.texts) == {EASY}
    assert pair.answered() == {"strong": 0, "weak": 2}


@pytest.mark.parametrize("calls_functions", [True, False])
async def test_a_workflow_made_from_tools_takes_the_agent_that_both_models_can_be(
    calls_functions: bool, pair: Routed
):
    llm = pair.llm()
    llm.weak.is_function_calling_model = calls_functions
    workflow = AgentWorkflow.from_tools_or_functions([add], llm=llm)
    kind = FunctionAgent if calls_functions else ReActAgent
    assert [type(agent) for agent in workflow.agents.values()] == [kind]
    assert (await run(workflow, HARD)).tool_calls is not None
    assert set(pair.texts) == {HARD}


async def test_a_query_engine_as_a_tool_is_routed_by_what_the_agent_asks_it(pair: Routed):
    pair.reply({HARD: ("docs", {"input": EASY})})
    llm = pair.llm()
    tool = QueryEngineTool.from_defaults(index(1).as_query_engine(llm=llm), name="docs")
    await run(FunctionAgent(tools=[tool], llm=llm), HARD)
    assert pair.texts == [HARD, EASY, HARD]
    assert pair.answered() == {"strong": 2, "weak": 1}


async def test_an_agents_tokens_are_counted_as_without_routing(pair: Routed):
    counts = []
    for llm in (pair.bare("strong"), pair.llm()):
        handler = TokenCountingHandler()
        agent = FunctionAgent(tools=[add], llm=llm, streaming=False)
        llm.callback_manager = CallbackManager([handler])
        await run(agent, HARD)
        counts.append(
            [(e.prompt_token_count, e.completion_token_count) for e in handler.llm_token_counts]
        )
    assert counts[0] == counts[1]
    assert len(counts[1]) == 2
