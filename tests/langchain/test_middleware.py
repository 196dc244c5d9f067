"""RouteLLMMiddleware in real agents: real ChatOpenAI clients, stand-in models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    TodoListMiddleware,
    before_agent,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain.chat_models import init_chat_model
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command
from openai import APIError
from pydantic import BaseModel

from routellm_core import ConfigError, Decision, hookimpl
from routellm_plugins.langchain import RouteLLMMiddleware, route_on
from routellm_plugins.standin.answers import Answer
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.clients import client

LENGTH: dict[str, Any] = {"router": "length", "threshold": 0.8}


class Typed(Upstream):
    """Answers in the form of ``City`` where a response format asks for JSON."""

    def answer(self, body: dict[str, Any]) -> Answer:
        if "response_format" not in body:
            return super().answer(body)
        return Answer(self.model, json.dumps({"name": self.model}), None, "", 1)


class Decisions:
    """An observer that remembers every decision."""

    def __init__(self) -> None:
        self.made: list[Decision] = []

    @hookimpl
    def routellm_decided(self, decision: Decision) -> None:
        self.made.append(decision)


class Starts(BaseCallbackHandler):
    """The metadata of every model run."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.metadata.append(kwargs["metadata"])


class City(BaseModel):
    name: str


def lookup(city: str) -> str:
    """Look a city up; returns words that would score high."""
    return HARD * 3


@pytest.fixture(autouse=True)
def _fresh(strong: Upstream, weak: Upstream, plugin: Callable[[object], object]) -> None:
    plugin(routers)
    for upstream in (strong, weak):
        upstream.requests.clear()
        upstream.failing_with = None


@pytest.fixture
def decisions(plugin: Callable[[object], object]) -> Decisions:
    observer = Decisions()
    plugin(observer)
    return observer


@pytest.fixture
def gpt_4o(strong: Upstream) -> ChatOpenAI:
    return client(strong)


@pytest.fixture
def mini(weak: Upstream) -> ChatOpenAI:
    return client(weak)


def asked(*texts: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text) for text in texts]}


def who(output: dict[str, Any]) -> list[str]:
    """Return the models that answered in the last turn, call by call."""
    turn = output["messages"]
    last = max(at for at, message in enumerate(turn) if isinstance(message, HumanMessage))
    answers = [message for message in turn[last:] if isinstance(message, AIMessage)]
    return [message.response_metadata["model_name"] for message in answers]


def made(output: dict[str, Any]) -> dict[str, Any]:
    """Return the decision that the last answer carries."""
    decision: dict[str, Any] = output["messages"][-1].response_metadata["routellm"]
    return decision


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


def test_a_sticky_conversation_outlives_its_messages(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    @before_agent
    def forget(state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), state["messages"][-1]]}

    agent = create_agent(
        gpt_4o,
        middleware=[forget, RouteLLMMiddleware(mini, sticky="conversation", **LENGTH)],
        checkpointer=InMemorySaver(),
    )
    thread: Any = {"configurable": {"thread_id": "1"}}
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


def test_traces_tell_the_decision_and_usage_is_counted_once(
    gpt_4o: ChatOpenAI, weak: Upstream
) -> None:
    mini = client(weak, metadata={"team": "search"}, tags=["cheap"])
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    starts, usage = Starts(), UsageMetadataCallbackHandler()
    output = agent.invoke(asked(EASY), {"callbacks": [starts, usage]})
    [metadata] = starts.metadata
    assert metadata["ls_model_name"] == "gpt-4o-mini"
    assert metadata["team"] == "search"
    told = {key: value for key, value in metadata.items() if key.startswith("routellm_")}
    assert told == {f"routellm_{key}": value for key, value in made(output).items()}
    assert told["routellm_tier"] == "weak"
    assert usage.usage_metadata["gpt-4o-mini"] == output["messages"][-1].usage_metadata
    assert "routellm_tier" not in (mini.metadata or {})


def test_each_token_is_streamed_once_and_tells_the_decision(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    events = list(agent.stream(asked(EASY), stream_mode=["messages", "values"]))
    tokens: list[Any] = [
        (message.text, metadata)
        for mode, (message, metadata) in ((m, e) for m, e in events if m == "messages")
        if not isinstance(message, ToolMessage)
    ]
    final = [values for mode, values in events if mode == "values"][-1]["messages"][-1]
    assert "".join(text for text, _ in tokens) == final.text
    assert {metadata["routellm_tier"] for _, metadata in tokens} == {"weak"}


def test_nothing_of_it_is_sent_upstream(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, strong: Upstream
) -> None:
    routed = create_agent(
        gpt_4o,
        [lookup],
        middleware=[RouteLLMMiddleware(mini, sticky="conversation", **LENGTH)],
        checkpointer=InMemorySaver(),
    )
    plain = create_agent(gpt_4o, [lookup], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    for agent in (routed, plain):
        for text in (HARD, EASY):
            agent.invoke(asked(text), thread)
    requests = [_without_ids(request) for request in strong.requests]
    assert len(requests) == 8
    assert requests[:4] == requests[4:]
    assert "routellm" not in str(requests)


def _without_ids(request: dict[str, Any]) -> str:
    return json.dumps(
        json.loads(
            json.dumps(request),
            object_hook=lambda d: {k: v for k, v in d.items() if k not in ("id", "tool_call_id")},
        )
    )


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


def test_a_cached_answer_is_found_again_and_not_changed(gpt_4o: ChatOpenAI, weak: Upstream) -> None:
    cache = InMemoryCache()
    mini = client(weak, cache=cache)
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    for _ in range(2):
        agent.invoke({"messages": [HumanMessage(EASY, id="1")]})
    assert len(weak.requests) == 1
    [[generation]] = cache._cache.values()
    assert "routellm" not in generation.message.response_metadata


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


@pytest.mark.parametrize("order", [1, -1])
async def test_fallbacks_take_over_from_the_routed_model(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, weak: Upstream, order: int
) -> None:
    weak.failing_with = 500
    with Upstream("spare") as spare:
        fallback = ModelFallbackMiddleware(client(spare))
        middleware = [RouteLLMMiddleware(mini, **LENGTH), fallback][::order]
        agent = create_agent(gpt_4o, [lookup], middleware=middleware)
        for output in (agent.invoke(asked(EASY)), await agent.ainvoke(asked(EASY))):
            assert who(output) == ["spare", "spare"]
            assert made(output)["tier"] == "weak"
        assert len(weak.requests) == 4
        weak.failing_with = None
        assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini", "gpt-4o-mini"]


def test_retries_ask_the_routed_model_and_the_fallback_again(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, strong: Upstream, weak: Upstream
) -> None:
    class Retry(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            try:
                return handler(request)
            except Exception:
                weak.failing_with, spare.failing_with = after.pop(0)
                return handler(request)

    with Upstream("spare") as spare:
        fallback = ModelFallbackMiddleware(client(spare))
        routing = RouteLLMMiddleware(mini, **LENGTH)
        agent = create_agent(gpt_4o, middleware=[fallback, Retry(), routing])
        weak.failing_with = spare.failing_with = 500
        after: list[Any] = [(None, 500)]
        assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini"]
        weak.failing_with = 500
        after.extend([(500, 500), (500, None)])
        assert who(agent.invoke(asked(EASY))) == ["spare"]
    assert strong.requests == []


async def test_a_fallback_takes_over_from_a_model_that_takes_too_long(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    class Hanging(AgentMiddleware):
        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            if request.model.model_name == "gpt-4o-mini":
                await asyncio.sleep(30)
            return await handler(request)

    class TimeLimit(AgentMiddleware):
        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await asyncio.wait_for(handler(request), 0.2)

    with Upstream("spare") as spare:
        fallback = ModelFallbackMiddleware(client(spare))
        routing = RouteLLMMiddleware(mini, **LENGTH)
        agent = create_agent(gpt_4o, middleware=[fallback, TimeLimit(), routing, Hanging()])
        assert who(await agent.ainvoke(asked(EASY))) == ["spare"]


def test_a_better_model_can_be_asked_after_the_routed_one(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    class Escalate(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            handler(request)
            return handler(request.override(model=client(best)))

    with Upstream("o1") as best:
        routing = RouteLLMMiddleware(mini, **LENGTH)
        agent = create_agent(gpt_4o, [lookup], middleware=[Escalate(), routing])
        assert who(agent.invoke(asked(EASY))) == ["o1", "o1"]


def test_a_failed_turn_goes_on_with_its_model_in_an_agent_made_anew(
    strong: Upstream, mini: ChatOpenAI, weak: Upstream
) -> None:
    routing, memory = RouteLLMMiddleware(mini, **LENGTH), InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}

    def agent() -> Any:
        return create_agent(client(strong), middleware=[routing], checkpointer=memory)

    weak.failing_with = 500
    with pytest.raises(APIError, match="told to fail"):
        agent().invoke(asked(EASY), thread)
    weak.failing_with = None
    output = agent().invoke(None, thread)
    assert who(output) == ["gpt-4o-mini"]
    assert list(agent().get_state(thread).values) == ["messages", "routellm"]


def test_other_middleware_sees_the_routed_model_and_works_beside_it(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI
) -> None:
    seen: list[str] = []

    class Watch(AgentMiddleware):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            seen.append(request.model.model_name)
            return handler(request)

    @before_agent
    def note(state: Any, runtime: Any) -> None:
        seen.append("turn")

    agent = create_agent(
        gpt_4o,
        [lookup],
        middleware=[
            RouteLLMMiddleware(mini, **LENGTH),
            Watch(),
            note,
            TodoListMiddleware(),
            ModelCallLimitMiddleware(run_limit=9),
        ],
    )
    assert who(agent.invoke(asked(EASY)))[-1] == "gpt-4o-mini"
    assert seen[0] == "turn"
    assert set(seen[1:]) == {"gpt-4o-mini"}


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
        ({"strong": "retrying", "threshold": 0.5}, "RunnableRetry.*ModelRetryMiddleware"),
    ],
)
def test_mistakes_say_what_to_write(
    mini: ChatOpenAI, arguments: dict[str, Any], message: str
) -> None:
    named = {"weak": mini, "retrying": mini.with_retry()}
    arguments = {key: named.get(str(value), value) for key, value in arguments.items()}
    with pytest.raises(ConfigError, match=message):
        RouteLLMMiddleware(**{"weak": mini, **arguments})


def test_the_conversation_is_not_in_spans_of_its_own(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "TracePolicy"):
        pytest.skip("langgraph before 1.2 has no trace policies")
    policy = RouteLLMMiddleware(mini, **LENGTH).trace_policy
    assert policy.process_inputs({"messages": [HARD]}) == {}
