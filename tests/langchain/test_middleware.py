"""RouteLLMMiddleware in real agents: which model a turn goes to. Real clients, stand-in models."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from routellm_core import ConfigError
from routellm_plugins.demo.standin.answers import Answer
from routellm_plugins.langchain import RouteLLMMiddleware, route_on
from tests.fakes.filled_prompts import filled
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, Decisions, asked, lookup, made, who
from tests.langchain.clients import client

pytestmark = pytest.mark.usefixtures("fresh")


class Typed(Upstream):
    """Answers in the form of ``City`` where a response format asks for JSON."""

    def answer(self, body: dict[str, Any]) -> Answer:
        if "response_format" not in body:
            return super().answer(body)
        return Answer(self.model, json.dumps({"name": self.model}), None, "", 1)


class City(BaseModel):
    name: str


@pytest.mark.parametrize(("text", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")])
def test_a_turn_is_scored_once_and_kept_through_the_tool_loop(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, decisions: Decisions, text: str, model: str
) -> None:
    agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    output = agent.invoke(asked(text))
    assert [type(message) for message in output["messages"]] == [
        HumanMessage,
        AIMessage,
        ToolMessage,
        AIMessage,
    ]
    assert who(output) == [model, model]
    assert len(decisions.made) == 1


@pytest.mark.parametrize(("text", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")])
async def test_a_turn_is_routed_in_async_agents_too(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, decisions: Decisions, text: str, model: str
) -> None:
    agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    output = await agent.ainvoke(asked(text))
    assert who(output) == [model, model]
    assert made(output)["cause"] == "score"
    assert len(decisions.made) == 1


def test_a_strong_model_of_its_own_replaces_the_agents_model(
    strong: Upstream, gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    with Upstream("o1") as best:
        middleware = RouteLLMMiddleware(mini, client(best), **LENGTH)
        agent = create_agent(gpt_4o, middleware=[middleware])
        assert who(agent.invoke(asked(HARD))) == ["o1"]
        assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini"]
    assert strong.requests == []


def test_models_may_be_named(
    weak: Upstream, gpt_4o: ChatOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_BASE_URL", weak.url)
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware("openai:gpt-4o-mini", **LENGTH)])
    assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini"]
    assert weak.requests[0]["model"] == "gpt-4o-mini"


def test_the_agents_model_may_be_named_by_the_run(
    strong: Upstream, mini: ChatOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_BASE_URL", strong.url)
    named_later: Any = init_chat_model()
    agent = create_agent(named_later, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    output = agent.invoke(asked(HARD), {"configurable": {"model": "openai:o1"}})
    assert [request["model"] for request in strong.requests] == ["o1", "o1"]
    assert made(output)["tier"] == "strong"


async def test_parallel_turns_and_subagents_do_not_mix(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    middleware = RouteLLMMiddleware(mini, **LENGTH)
    worker = create_agent(gpt_4o, [lookup], middleware=[middleware])
    answered: list[str] = []

    async def delegate(task: str) -> str:
        """Have two workers look at it at once, each with its own question."""
        for output in await asyncio.gather(*(worker.ainvoke(asked(q)) for q in (HARD, EASY))):
            answered.extend(who(output))
        return "done"

    supervisor = create_agent(gpt_4o, [delegate], middleware=[middleware])
    outputs = await asyncio.gather(*(supervisor.ainvoke(asked(EASY)) for _ in range(4)))
    assert [who(output) for output in outputs] == [["gpt-4o-mini"] * 2] * 4
    assert answered == (["gpt-4o"] * 2 + ["gpt-4o-mini"] * 2) * 4
    batch = worker.batch([asked(text) for text in (EASY, HARD) * 4])
    assert [who(output)[0] for output in batch] == ["gpt-4o-mini", "gpt-4o"] * 4


@pytest.mark.parametrize("router", ["failing", "stuck"])
@pytest.mark.parametrize(("tier", "model"), [("strong", "gpt-4o"), ("weak", "gpt-4o-mini")])
@pytest.mark.usefixtures("stuck")
async def test_an_agent_goes_on_when_scoring_fails(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, router: str, tier: Any, model: str
) -> None:
    timeout_ms = 30 if router == "stuck" else 10_000
    middleware = RouteLLMMiddleware(
        mini, router=router, threshold=0.5, on_error=tier, timeout_ms=timeout_ms
    )
    agent = create_agent(gpt_4o, [lookup], middleware=[middleware])
    for output in (agent.invoke(asked(EASY)), await agent.ainvoke(asked(EASY))):
        assert who(output) == [model, model]
        assert made(output)["cause"].startswith("error:")


@pytest.mark.parametrize(("tier", "model"), [("strong", "gpt-4o"), ("weak", "gpt-4o-mini")])
def test_a_turn_without_words_goes_where_it_is_told_to(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, tier: Any, model: str
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    middleware = RouteLLMMiddleware(mini, on_no_text=tier, **LENGTH)
    agent = create_agent(gpt_4o, middleware=[middleware])
    output = agent.invoke({"messages": [HumanMessage([image])]})
    assert who(output) == [model]
    assert made(output)["cause"] == "no_text"


@pytest.mark.parametrize("scored", ["system+last", "all"])
async def test_the_agents_system_prompt_is_scored_if_it_is_to_be(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, scored: Any
) -> None:
    middleware = RouteLLMMiddleware(mini, **LENGTH, scored=scored)
    for system, model in ((HARD, "gpt-4o"), (None, "gpt-4o-mini")):
        agent = create_agent(gpt_4o, middleware=[middleware], system_prompt=system)
        assert who(agent.invoke(asked("Go."))) == [model]
        assert who(await agent.ainvoke(asked("Go."))) == [model]
    agent = create_agent(gpt_4o, [lookup], middleware=[middleware], system_prompt=HARD)
    assert who(agent.invoke(asked("Go."))) == ["gpt-4o", "gpt-4o"]


@pytest.mark.parametrize(("question", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")])
def test_the_question_of_a_filled_prompt_is_scored(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, question: str, model: str
) -> None:
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    prompt = filled("LangGraph's agentic RAG", question, "The reactor is proved to be safe. " * 40)
    assert who(agent.invoke(asked(prompt))) == [model]


async def test_route_on_is_honoured(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    with route_on(HARD):
        assert who(agent.invoke(asked(EASY))) == ["gpt-4o", "gpt-4o"]
        assert who(await agent.ainvoke(asked(EASY))) == ["gpt-4o", "gpt-4o"]
    assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini", "gpt-4o-mini"]


async def test_a_run_can_bring_a_threshold_of_its_own(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    config: Any = {"configurable": {"routellm_threshold": 0.4}}
    assert who(agent.invoke(asked(EASY), config)) == ["gpt-4o", "gpt-4o"]
    assert who(await agent.ainvoke(asked(EASY), config)) == ["gpt-4o", "gpt-4o"]
    with pytest.raises(ConfigError, match="'threshold' is 2"):
        agent.invoke(asked(EASY), {"configurable": {"routellm_threshold": 2}})
    with pytest.raises(ConfigError, match="did you mean 'threshold'"):
        agent.invoke(asked(EASY), {"configurable": {"routellm_treshold": 0.4}})


@pytest.mark.parametrize("strategy", [ToolStrategy, ProviderStrategy])
def test_structured_answers_work(strategy: Any) -> None:
    with Typed("gpt-4o") as strong, Typed("gpt-4o-mini") as weak:
        agent = create_agent(
            client(strong),
            middleware=[RouteLLMMiddleware(client(weak), **LENGTH)],
            response_format=strategy(City),
        )
        for text, upstream, tier in ((EASY, weak, "weak"), (HARD, strong, "strong")):
            output = agent.invoke(asked(text))
            assert isinstance(output["structured_response"], City)
            assert len(upstream.requests) == 1
            answer = next(m for m in output["messages"] if isinstance(m, AIMessage))
            assert answer.response_metadata["routellm"]["tier"] == tier


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"treshold": 0.5}, "did you mean 'threshold'"),
        ({"threshold": 2}, "'threshold' is 2"),
        ({"threshold": 0.5, "strong_share": 0.3}, "keep one of them"),
        ({}, "write strong_share: 0.3"),
        ({"router": "lenght", "threshold": 0.5}, "did you mean 'length'"),
        ({"sticky": "forever", "threshold": 0.5}, "'turn' or 'conversation'"),
        ({"weak": 3, "threshold": 0.5}, "'weak' is a int.*ChatOpenAI"),
        ({"strong": "weak", "threshold": 0.5}, "'strong' and 'weak' are the same model"),
        ({"strong": "sequence", "threshold": 0.5}, "'strong' is a RunnableSequence.*ChatOpenAI"),
    ],
)
def test_mistakes_say_what_to_write(
    mini: ChatOpenAI, arguments: dict[str, Any], message: str
) -> None:
    named = {"weak": mini, "sequence": mini | StrOutputParser()}
    arguments = {key: named.get(str(value), value) for key, value in arguments.items()}
    with pytest.raises(ConfigError, match=message):
        RouteLLMMiddleware(**{"weak": mini, **arguments})
