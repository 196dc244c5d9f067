"""LangChain's caches of answers keep apart what a bare model's cache keeps apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage

from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import HARD
from tests.langchain.agents import lookup
from tests.langchain.clients import client

pytestmark = pytest.mark.usefixtures("fresh")

FIELDS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.9},
    {"max_tokens": 5},
    {"stop": ["stop"]},
]


@pytest.fixture
def cache() -> Iterator[InMemoryCache]:
    cache = InMemoryCache()
    set_llm_cache(cache)
    yield cache
    set_llm_cache(None)


def _asked(upstream: Upstream) -> list[tuple[Any, ...]]:
    keys = ("temperature", "max_completion_tokens", "stop")
    return [tuple(request.get(key) for key in keys) for request in upstream.requests]


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: m.bind(seed=7)], ids=["plain", "bind"])
async def test_an_answer_is_cached_for_its_settings_alone(
    cache: Any, strong: Upstream, mini: Any, wrap: Any
) -> None:
    bare = client(strong)
    for _ in range(2):
        for fields in FIELDS:
            wrap(client(strong, **fields)).invoke(HARD)
    expected, kept = _asked(strong), len(cache._cache)
    assert len(expected) == len(FIELDS)

    cache.clear()
    strong.requests.clear()
    bare.invoke(HARD)  # LangChain keeps the serialized form of a model that was called
    cache.clear()
    strong.requests.clear()
    routers = [
        ChatRouteLLM(wrap(bare), mini, router="length", threshold=0.8, **fields)
        for fields in FIELDS
    ]
    for routed in routers:
        routed.invoke(HARD)
        await routed.ainvoke(HARD)
        routed.generate([[("human", HARD)]])  # type: ignore[list-item]
        routed.batch([HARD, HARD])
    assert (_asked(strong), len(cache._cache)) == (expected, kept)


def test_the_bare_model_and_the_router_share_what_is_equal(
    cache: Any, strong: Upstream, mini: Any
) -> None:
    bare = client(strong)
    bare.invoke(HARD)
    ChatRouteLLM(bare, mini, router="length", threshold=0.8).invoke(HARD)
    assert len(strong.requests) == 1
    ChatRouteLLM(bare, mini, router="length", threshold=0.8, temperature=0.9).invoke(HARD)
    assert len(strong.requests) == 2
    bare.invoke(HARD)
    assert len(strong.requests) == 2


def test_a_setting_that_is_changed_later_counts(cache: Any, strong: Upstream, mini: Any) -> None:
    routed = ChatRouteLLM(client(strong), mini, router="length", threshold=0.8, temperature=0.1)
    routed.invoke(HARD)
    routed.temperature = 0.9
    routed.invoke(HARD)
    assert [request["temperature"] for request in strong.requests] == [0.1, 0.9]


@pytest.mark.parametrize("kind", ["model", "middleware"])
def test_the_tool_loop_of_an_agent_is_cached(
    cache: Any, strong: Upstream, mini: Any, kind: str
) -> None:
    asked = {"messages": [HumanMessage(HARD, id="asked")]}

    def counts(agent: Any) -> list[int]:
        """Return how many requests there were after each of four equal runs."""
        cache.clear()
        strong.requests.clear()
        seen = []
        for _ in range(4):
            agent.invoke(asked)
            seen.append(len(strong.requests))
        return seen

    bare = client(strong)
    settings: dict[str, Any] = {"router": "length", "threshold": 0.8}
    if kind == "model":
        routed = create_agent(ChatRouteLLM(bare, mini, **settings), [lookup])
    else:
        routed = create_agent(bare, [lookup], middleware=[RouteLLMMiddleware(mini, **settings)])
    assert counts(routed) == counts(create_agent(bare, [lookup]))
