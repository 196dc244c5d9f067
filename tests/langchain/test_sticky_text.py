"""``sticky="conversation"`` where an application keeps the text of answers, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain_core import __version__
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from routellm_plugins import langchain as adapter
from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, who

pytestmark = pytest.mark.usefixtures("fresh")

HAS_DECISIONS = tuple(int(part) for part in __version__.split(".")[:2]) >= (1, 8)
STICKY = {**LENGTH, "sticky": "conversation"}
_conversations = itertools.count()

Asking = Callable[[list[Any]], Any]


def _model(strong: Any, weak: Any) -> dict[str, Asking]:
    llm = ChatRouteLLM(strong, weak, **STICKY)

    async def collected(messages: Any) -> Any:
        chunks = [chunk async for chunk in llm.astream(messages)]
        return chunks[0]

    async def abatched(messages: Any) -> Any:
        return (await llm.abatch([messages]))[0]

    return {
        "invoke": llm.invoke,
        "ainvoke": llm.ainvoke,
        "stream": lambda messages: next(iter(llm.stream(messages))),
        "astream": collected,
        "batch": lambda messages: llm.batch([messages])[0],
        "abatch": abatched,
        "generate": lambda messages: llm.generate([messages]).generations[0][0].message,  # type: ignore[union-attr]
    }


def _agent(strong: Any, weak: Any) -> dict[str, Asking]:
    agent = create_agent(strong, middleware=[RouteLLMMiddleware(weak, **STICKY)])

    async def asked(messages: Any) -> Any:
        return await agent.ainvoke({"messages": messages})

    return {"agent": lambda messages: agent.invoke({"messages": messages}), "agent,async": asked}


def _tier(answer: Any) -> str:
    if isinstance(answer, dict):
        return "strong" if who(answer) == ["gpt-4o"] else "weak"
    tier: str = answer.response_metadata["routellm"]["tier"]
    return tier


async def _said(answer: Any) -> Any:
    return await answer if hasattr(answer, "__await__") else answer


@pytest.mark.parametrize(
    "way",
    ["invoke", "ainvoke", "stream", "astream", "batch", "abatch", "generate", "agent,async"],
)
async def test_it_stays_on_the_strong_model(gpt_4o: Any, mini: Any, way: str) -> None:
    ask = {**_model(gpt_4o, mini), **_agent(gpt_4o, mini)}[way]
    system = SystemMessage(f"Conversation {next(_conversations)}.")
    begun = [system, HumanMessage("Hello there"), AIMessage("Hello.")]
    assert _tier(await _said(ask(begun[:2]))) == "weak"
    assert _tier(await _said(ask([*begun, HumanMessage(HARD)]))) == "strong"
    later = [*begun, HumanMessage(HARD), AIMessage("Yes."), HumanMessage(EASY)]
    assert _tier(await _said(ask(later))) == "strong"
    other = [SystemMessage("Another."), *later[1:3], HumanMessage(EASY)]
    assert _tier(await _said(ask(other))) == "weak"


@pytest.mark.skipif(not HAS_DECISIONS, reason="this langchain-core has no decision models")
async def test_a_decision_model_stays_with_its_answer() -> None:
    from langchain_core.decisions import Choice

    model = adapter.RouteLLMDecisionModel(**STICKY)
    which = Choice(instructions="Which?", criteria={"strong": None, "weak": None})
    system = SystemMessage(f"Conversation {next(_conversations)}.")
    begun = [system, HumanMessage("Hello there"), AIMessage("Hello."), HumanMessage(HARD)]
    chosen = []
    for messages in (begun[:2], begun, [*begun, AIMessage("Yes."), HumanMessage(EASY)]):
        asked = {"state": {"messages": messages}, "questions": {"model": which}}
        for response in (model.invoke(asked), await model.ainvoke(asked)):
            chosen.append(response.answers["model"].choice)
    assert chosen == ["weak", "weak", "strong", "strong", "strong", "strong"]
