"""ChatRouteLLM: which model answers, whatever way it is called, and what the answer says of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("langchain_openai")

from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField
from openai import APIError
from pydantic import BaseModel

from routellm_core import ConfigError, Router, hookimpl
from routellm_plugins.langchain import ChatRouteLLM, route_on
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.clients import client

# Of the OpenAI client, also without routing.
pytestmark = [
    pytest.mark.usefixtures("fresh"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

LENGTH: dict[str, Any] = {"router": "length", "threshold": 0.8}


class City(BaseModel):
    name: str


class Counting(Router):
    """Scores like ``length``, and remembers each call."""

    instant = True

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def score(self, prompts):
        self.calls.append(list(prompts))
        return np.array([min(1.0, len(prompt.split()) / 10) for prompt in prompts])


@pytest.fixture
def counting(plugin: Callable[[object], object]) -> Counting:
    router = Counting()

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("counting", lambda: router)

    plugin(Plugin())
    return router


@pytest.fixture
def llm(strong: Upstream, weak: Upstream) -> ChatRouteLLM:
    return ChatRouteLLM(client(strong), client(weak), **LENGTH)


async def collect(stream: Any) -> list[Any]:
    return [item async for item in stream]


def joined(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


WAYS: dict[str, Callable[[ChatRouteLLM, str], Any]] = {
    "invoke": lambda llm, text: llm.invoke(text),
    "ainvoke": lambda llm, text: asyncio.run(llm.ainvoke(text)),
    "stream": lambda llm, text: joined(list(llm.stream(text))),
    "astream": lambda llm, text: joined(asyncio.run(collect(llm.astream(text)))),
    "batch": lambda llm, text: llm.batch([text])[0],
    "abatch": lambda llm, text: asyncio.run(llm.abatch([text]))[0],
    "batch_as_completed": lambda llm, text: next(iter(llm.batch_as_completed([text])))[1],
    "abatch_as_completed": lambda llm, text: asyncio.run(collect(llm.abatch_as_completed([text])))[
        0
    ][1],
    "transform": lambda llm, text: joined(list(llm.transform(iter([text])))),
    "generate": lambda llm, text: llm.generate([[HumanMessage(text)]]).generations[0][0].message,
    "agenerate": lambda llm, text: (
        asyncio.run(llm.agenerate([[HumanMessage(text)]])).generations[0][0].message
    ),
    "generate_prompt": lambda llm, text: (
        llm.generate_prompt([ChatPromptTemplate([("human", "{x}")]).invoke({"x": text})])
        .generations[0][0]
        .message
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_calling_goes_to_the_right_model(llm, strong, weak, way):
    for text, upstream, tier in ((EASY, weak, "weak"), (HARD, strong, "strong")):
        message = WAYS[way](llm, text)
        assert message.text.startswith(f"{upstream.model} here")
        assert message.response_metadata["model_name"] == upstream.model
        made = message.response_metadata["routellm"]
        assert (made["tier"], made["router"], made["threshold"]) == (tier, "length", 0.8)
        assert made["score"] == pytest.approx(min(1.0, len(text.split()) / 10))
    assert (len(strong.requests), len(weak.requests)) == (1, 1)


def test_the_decision_is_on_the_first_chunk_alone(llm):
    chunks = list(llm.stream(EASY))
    assert ["routellm" in chunk.response_metadata for chunk in chunks] == [True] + [False] * (
        len(chunks) - 1
    )


@pytest.mark.parametrize(
    "batch",
    [
        lambda llm, texts, **options: llm.batch(texts, **options),
        lambda llm, texts, **options: asyncio.run(llm.abatch(texts, **options)),
        lambda llm, texts, **options: [
            output for _, output in sorted(llm.batch_as_completed(texts, **options))
        ],
        lambda llm, texts, **options: [
            output
            for _, output in sorted(asyncio.run(collect(llm.abatch_as_completed(texts, **options))))
        ],
    ],
    ids=["batch", "abatch", "batch_as_completed", "abatch_as_completed"],
)
def test_a_batch_is_scored_in_one_call(strong, weak, counting, batch):
    llm = ChatRouteLLM(client(strong), client(weak), router="counting", threshold=0.8)
    texts = [EASY, HARD, EASY + " Now", HARD + " now"]
    messages = batch(llm, texts)
    assert counting.calls == [texts]
    tiers = [message.response_metadata["routellm"]["tier"] for message in messages]
    assert tiers == ["weak", "strong", "weak", "strong"]
    assert batch(llm, []) == []


async def test_a_chains_batch_is_scored_in_one_call(strong, weak, counting):
    llm = ChatRouteLLM(client(strong), client(weak), router="counting", threshold=0.8)
    for model in (llm, llm.bind_tools([]), llm.with_structured_output(City)):
        chain = ChatPromptTemplate([("human", "{question}")]) | model
        questions = [{"question": text} for text in (EASY, HARD)]
        chain.batch(questions)
        await chain.abatch(questions)
    assert counting.calls == [[EASY, HARD]] * 6


def test_a_batch_returns_exceptions_in_their_places(llm, strong):
    strong.failing_with = 500
    outputs = llm.batch([EASY, HARD, EASY], return_exceptions=True)
    assert [isinstance(output, APIError) for output in outputs] == [False, True, False]
    configs = [{"configurable": {"routellm_threshold": given}} for given in (0.8, 2)]
    good, bad = llm.batch([EASY, EASY], configs, return_exceptions=True)
    assert good.response_metadata["routellm"]["tier"] == "weak"
    assert isinstance(bad, ConfigError)
    with pytest.raises(ConfigError, match="'threshold' is 2"):
        llm.batch([EASY, EASY], configs)


def test_a_batch_obeys_max_concurrency():
    running, most, lock = 0, 0, threading.Lock()

    class Slow(FakeListChatModel):
        def _call(self, *args: Any, **kwargs: Any) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.02)
            with lock:
                running -= 1
            return "done"

    llm = ChatRouteLLM(Slow(responses=["a"]), Slow(responses=["b"]), **LENGTH)
    llm.batch([EASY, HARD] * 4, {"max_concurrency": 2})
    assert most == 2


def test_a_batch_takes_a_config_for_each(llm):
    configs = [{"configurable": {"routellm_threshold": given}} for given in (0.1, 0.9, 0.1)]
    messages = llm.batch([EASY] * 3, configs)
    tiers = [message.response_metadata["routellm"]["tier"] for message in messages]
    assert tiers == ["strong", "weak", "strong"]


CALL = AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}])


@pytest.mark.parametrize(
    ("messages", "tier", "cause"),
    [
        ([SystemMessage(HARD), HumanMessage(EASY)], "weak", "score"),
        ([HumanMessage(HARD), AIMessage(EASY), HumanMessage(EASY)], "weak", "score"),
        ([HumanMessage(EASY), CALL, ToolMessage(HARD, tool_call_id="1")], "weak", "score"),
        (
            [HumanMessage([{"type": "text", "text": part} for part in (EASY, EASY)])],
            "strong",
            "score",
        ),
        ([SystemMessage(EASY)], "strong", "no_text"),
    ],
    ids=["system prompt", "last turn", "tool result", "text parts", "no human text"],
)
def test_what_is_scored(llm, messages, tier, cause):
    made = llm.invoke(messages).response_metadata["routellm"]
    assert (made["tier"], made["cause"]) == (tier, cause)


async def test_the_application_can_say_what_is_scored(llm):
    with route_on(EASY):
        sync, later = llm.invoke(HARD), await llm.ainvoke(HARD)
        batch = llm.batch([HARD, HARD])
    for message in (sync, later, *batch):
        assert message.response_metadata["routellm"]["tier"] == "weak"


@pytest.mark.parametrize(
    "ask",
    [
        lambda llm: llm.invoke(EASY, threshold=0.4),
        lambda llm: llm.invoke(EASY, router="random", threshold=0.0),
        lambda llm: llm.invoke(EASY, router="random", strong_share=1.0),
        lambda llm: llm.invoke(EASY, model="router-length-0.4"),
        lambda llm: llm.bind(threshold=0.4).invoke(EASY),
        lambda llm: llm.invoke(EASY, {"configurable": {"routellm_threshold": 0.4}}),
        lambda llm: llm.with_config(configurable={"routellm_router": "always"}).invoke(EASY),
        lambda llm: llm.invoke(EASY, {"configurable": {"routellm_threshold": 0.9}}, threshold=0.4),
        lambda llm: llm.invoke(EASY, threshold=0.9, model="router-length-0.4"),
        lambda llm: llm.bind_tools([], threshold=0.4).invoke(EASY),
        lambda llm: llm.bind_tools([]).bind(threshold=0.4).invoke(EASY),
        lambda llm: next(iter(llm.stream(EASY, threshold=0.4))),
        lambda llm: llm.generate([[HumanMessage(EASY)]], threshold=0.4).generations[0][0].message,
    ],
)
def test_one_call_can_be_routed_otherwise(llm, strong, plugin, ask):
    class Always(Router):
        def score(self, prompts):
            return np.ones(len(prompts))

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("always", Always)

    plugin(Plugin())
    assert ask(llm).response_metadata["routellm"]["tier"] == "strong"
    (request,) = strong.requests
    assert request["model"] == "gpt-4o"
    assert not {"threshold", "router", "strong_share"} & request.keys()
    assert llm.invoke(EASY).response_metadata["routellm"]["tier"] == "weak"


def test_options_stay_with_their_router(strong, weak):
    options = {"router": "random", "router_options": {"seed": 3}}
    llm = ChatRouteLLM(client(strong), client(weak), threshold=0.8, **options)
    assert llm.invoke(EASY, router="length").response_metadata["routellm"]["tier"] == "weak"


def test_another_model_name_is_for_the_provider(llm, weak):
    llm.invoke(EASY, model="gpt-4o-mini-2024-07-18")
    assert weak.requests[-1]["model"] == "gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"threshold": 2}, "'threshold' is 2: input should be less than or equal to 1"),
        ({"router": "lenght"}, "no router named 'lenght': did you mean 'length'?"),
        ({"threshold": 0.2, "strong_share": 0.3}, "keep one of them"),
        ({"model": "router-length-1.5"}, r"threshold 1\.5 must be in \[0, 1\]"),
    ],
)
def test_a_wrong_override_says_what_to_write(llm, strong, weak, override, message):
    with pytest.raises(ConfigError, match=message):
        llm.invoke(EASY, **override)
    if "model" not in override:
        config = {"configurable": {f"routellm_{key}": value for key, value in override.items()}}
        with pytest.raises(ConfigError, match=message):
            llm.invoke(EASY, config)
    assert not strong.requests + weak.requests


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("treshold", "did you mean 'threshold'"),
        ("sticky", "known: calibration, max_cost_per_1k_requests, router, saving, "),
    ],
)
def test_a_typo_in_the_config_says_what_to_write(llm, key, message):
    unknown = f"unknown setting '{key}' in 'routellm_{key}': {message}"
    with pytest.raises(ConfigError, match=unknown):
        llm.invoke(EASY, {"configurable": {f"routellm_{key}": 0.1}})


@pytest.mark.parametrize("tier", ["strong", "weak"])
@pytest.mark.parametrize(("router", "error"), [("failing", "Runtime"), ("stuck", "Timeout")])
async def test_a_failing_scorer_fails_no_call(strong, weak, stuck, router, error, tier):
    timeout_ms = 30 if router == "stuck" else 10_000
    settings = {"router": router, "threshold": 0.5, "on_error": tier, "timeout_ms": timeout_ms}
    llm = ChatRouteLLM(client(strong), client(weak), **settings)
    for message in (llm.invoke(EASY), await llm.ainvoke(EASY), *llm.batch([EASY, HARD])):
        made = message.response_metadata["routellm"]
        assert made["tier"] == tier
        assert made["cause"].startswith("error:")
        assert error in made["cause"]


@pytest.mark.parametrize("ask", [lambda llm: llm.ainvoke(EASY), lambda llm: llm.abatch([EASY])])
async def test_a_slow_scorer_does_not_hold_up_the_event_loop(strong, weak, stuck, ask):
    settings = {"router": stuck, "threshold": 0.5, "timeout_ms": 300}
    task = asyncio.create_task(ask(ChatRouteLLM(client(strong), client(weak), **settings)))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    await task
    assert beats > 10


def test_conversation_stays_with_the_strong_model(strong, weak):
    turn = ChatRouteLLM(client(strong), client(weak), **LENGTH)
    sticky = ChatRouteLLM(client(strong), client(weak), sticky="conversation", **LENGTH)
    history = [HumanMessage(EASY), sticky.invoke(EASY), HumanMessage(EASY)]
    assert sticky.invoke(history).response_metadata["routellm"]["tier"] == "weak"
    history = [HumanMessage(HARD), joined(list(sticky.stream(HARD))), HumanMessage(EASY)]
    assert turn.invoke(history).response_metadata["routellm"]["tier"] == "weak"
    for message in (sticky.invoke(history), *sticky.batch([history, history])):
        made = message.response_metadata["routellm"]
        assert (made["tier"], made["cause"], made["score"]) == ("strong", "conversation", None)
    assert "routellm" not in str(strong.requests[1:])


def test_a_drop_in_inside_a_chain(llm):
    chain = ChatPromptTemplate([("system", HARD), ("human", "{question}")]) | llm
    assert (chain | StrOutputParser()).invoke({"question": EASY}).startswith("gpt-4o-mini here")


def test_fields_can_be_configured_at_run_time(llm):
    configurable = llm.configurable_fields(threshold=ConfigurableField("limit"))
    assert configurable.invoke(EASY).response_metadata["routellm"]["tier"] == "weak"
    lower = configurable.with_config(configurable={"limit": 0.1})
    assert lower.invoke(EASY).response_metadata["routellm"]["threshold"] == 0.1


def test_weights_are_loaded_once_however_often_the_class_is_made(strong, weak, plugin):
    made = []

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("loaded", lambda: made.append(1) or Counting())

    plugin(Plugin())
    llm = ChatRouteLLM(client(strong), client(weak), router="loaded", threshold=0.8)
    configurable = llm.configurable_fields(on_error=ConfigurableField("tier"))
    for _ in range(3):
        configurable.with_config(configurable={"tier": "weak"}).invoke(EASY)
    assert made == [1]


def test_a_cached_answer_is_not_changed(strong, weak):
    cache = InMemoryCache()
    llm = ChatRouteLLM(client(strong), client(weak), cache=cache, **LENGTH)
    first, second = llm.invoke(EASY), llm.invoke(EASY)
    assert len(weak.requests) == 1
    assert first.text == second.text
    assert "routellm" not in str(cache._cache)
    # The models have entries of their own, so another threshold does not bring a stale answer.
    assert llm.invoke(EASY, threshold=0.1).text.startswith("gpt-4o here")
