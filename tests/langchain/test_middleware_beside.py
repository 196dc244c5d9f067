"""RouteLLMMiddleware beside other middleware, caches, traces and streams."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    TodoListMiddleware,
    before_agent,
)
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

from routellm_plugins.langchain import RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, asked, lookup, made, who
from tests.langchain.clients import client
from tests.langchain.starts import Starts

pytestmark = pytest.mark.usefixtures("fresh")


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


def test_a_cached_answer_is_found_again_and_not_changed(gpt_4o: ChatOpenAI, weak: Upstream) -> None:
    cache = InMemoryCache()
    mini = client(weak, cache=cache)
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    for _ in range(2):
        agent.invoke({"messages": [HumanMessage(EASY, id="1")]})
    assert len(weak.requests) == 1
    [[generation]] = cache._cache.values()
    assert "routellm" not in generation.message.response_metadata


def test_the_conversation_is_not_in_spans_of_its_own(gpt_4o: ChatOpenAI, mini: ChatOpenAI) -> None:
    types = pytest.importorskip("langgraph.types")
    if not hasattr(types, "TracePolicy"):
        pytest.skip("langgraph before 1.2 has no trace policies")
    policy = RouteLLMMiddleware(mini, **LENGTH).trace_policy
    assert policy.process_inputs({"messages": [HARD]}) == {}
