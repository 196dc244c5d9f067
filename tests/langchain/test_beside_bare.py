"""What else a routed model does as a bare one: counting, wrappers in agents, clear mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.middleware import LLMToolSelectorMiddleware, SummarizationMiddleware
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage

from routellm_core import ConfigError
from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, asked, lookup, made, who
from tests.langchain.clients import client

pytestmark = pytest.mark.usefixtures("fresh")

TRIGGERS = "trigger" in inspect.signature(SummarizationMiddleware).parameters


def configurable(upstream: Upstream, **settings: Any) -> Any:
    """Return a model that takes its temperature from a run's config."""
    return init_chat_model(
        f"openai:{upstream.model}",
        configurable_fields=("temperature",),
        base_url=upstream.url,
        api_key="unused",
        max_retries=0,
        **settings,
    )


@pytest.mark.parametrize("wrap", ["plain", "configurable", "bind", "with_retry"])
def test_tokens_are_counted_by_the_strong_model(strong: Upstream, mini: Any, wrap: str) -> None:
    def words(text: str) -> list[int]:
        return list(range(len(text.split())))

    bare = {
        "plain": lambda: client(strong, custom_get_token_ids=words),
        "configurable": lambda: configurable(strong, custom_get_token_ids=words),
        "bind": lambda: client(strong, custom_get_token_ids=words).bind(seed=7),
        "with_retry": lambda: client(strong, custom_get_token_ids=words).with_retry(),
    }[wrap]()
    llm = ChatRouteLLM(bare, mini, **LENGTH)
    assert llm.get_num_tokens(EASY) == 5
    assert llm.get_token_ids("a b") == [0, 1]
    if wrap == "configurable":
        assert llm.get_num_tokens(EASY) == bare.get_num_tokens(EASY)


def look_further(city: str) -> str:
    """Look further."""
    return "seen"


AGENTS: dict[str, Callable[[Any], Any]] = {
    "with_retry": lambda model: model.with_retry(stop_after_attempt=2),
    "with_fallbacks": lambda model: model.with_fallbacks([model]),
    "bind": lambda model: model.bind(seed=7),
    "with_config": lambda model: model.with_config(tags=["mine"]),
}


@pytest.mark.parametrize("wrap", AGENTS)
@pytest.mark.parametrize("explicit", [False, True], ids=["agent's own", "both given"])
async def test_wrapped_models_in_an_agent(
    gpt_4o: Any, mini: Any, strong: Upstream, weak: Upstream, wrap: str, explicit: bool
) -> None:
    wrapped, cheap = AGENTS[wrap](gpt_4o), AGENTS[wrap](mini)
    routing = RouteLLMMiddleware(cheap, wrapped if explicit else None, **LENGTH)
    agent = create_agent(gpt_4o if explicit else wrapped, [lookup], middleware=[routing])
    for text, model in ((EASY, "gpt-4o-mini"), (HARD, "gpt-4o")):
        for output in (agent.invoke(asked(text)), await agent.ainvoke(asked(text))):
            assert who(output) == [model, model]
            assert made(output)["tier"] == ("weak" if text == EASY else "strong")
    assert [len(each.requests) for each in (strong, weak)] == [4, 4]
    if wrap == "bind":
        assert {request["seed"] for request in (*strong.requests, *weak.requests)} == {7}


@pytest.mark.parametrize("wrap", AGENTS)
def test_other_middleware_asks_wrapped_models_for_a_form(
    gpt_4o: Any, mini: Any, strong: Upstream, weak: Upstream, wrap: str
) -> None:
    selector = LLMToolSelectorMiddleware()
    bare = create_agent(gpt_4o, [lookup, look_further], middleware=[selector])
    expected = bare.invoke(asked(HARD))["messages"]
    sent = [{k: v for k, v in each.items() if k != "messages"} for each in strong.requests]
    strong.requests.clear()
    routing = RouteLLMMiddleware(*(AGENTS[wrap](each) for each in (mini, gpt_4o)), **LENGTH)
    agent = create_agent(gpt_4o, [lookup, look_further], middleware=[routing, selector])
    answered = agent.invoke(asked(HARD))["messages"]
    assert [each.content for each in answered] == [each.content for each in expected]
    asked_for = [
        {k: v for k, v in each.items() if k not in ("messages", "seed")} for each in strong.requests
    ]
    assert (asked_for, weak.requests) == (sent, [])


def test_what_a_wrapper_does_is_done_in_an_agent(gpt_4o: Any, mini: Any, weak: Upstream) -> None:
    routing = RouteLLMMiddleware(mini.with_fallbacks([gpt_4o]), **LENGTH)
    agent = create_agent(gpt_4o, [lookup], middleware=[routing])
    weak.failing_with = 500
    assert who(agent.invoke(asked(EASY))) == ["gpt-4o", "gpt-4o"]
    retried = RouteLLMMiddleware(mini.with_retry(stop_after_attempt=3), **LENGTH)
    weak.requests.clear()
    with pytest.raises(Exception, match="500"):
        create_agent(gpt_4o, [lookup], middleware=[retried]).invoke(asked(EASY))
    assert len(weak.requests) == 3


def test_a_configurable_model_in_an_agent(strong: Upstream, weak: Upstream) -> None:
    routing = RouteLLMMiddleware(configurable(weak), **LENGTH)
    agent = create_agent(configurable(strong), [lookup], middleware=[routing])
    bare = create_agent(configurable(strong), [lookup])
    run: Any = {"configurable": {"temperature": 0.9}}
    bare.invoke(asked(HARD), run)
    expected = [request["temperature"] for request in strong.requests]
    strong.requests.clear()
    assert who(agent.invoke(asked(HARD), run)) == ["gpt-4o", "gpt-4o"]
    assert [request["temperature"] for request in strong.requests] == expected == [0.9, 0.9]
    assert who(agent.invoke(asked(EASY), run)) == ["gpt-4o-mini", "gpt-4o-mini"]
    assert {request["temperature"] for request in weak.requests} == {0.9}


def test_middleware_that_goes_by_the_provider(
    gpt_4o: Any, mini: Any, strong: Upstream, weak: Upstream
) -> None:
    if not TRIGGERS:
        pytest.skip("this langchain has a summary's trigger in another form")
    usage = {"input_tokens": 9_000, "output_tokens": 1, "total_tokens": 9_001}
    by: Any = {"usage_metadata": usage, "response_metadata": {"model_provider": "openai"}}
    begun: Any = {"messages": [HumanMessage(HARD), AIMessage("So.", **by), HumanMessage(EASY)]}
    for model in (gpt_4o, ChatRouteLLM(gpt_4o, mini, **LENGTH)):
        summary = SummarizationMiddleware(model, trigger=("tokens", 8_000), keep=("messages", 1))
        (update,) = (summary.before_model(begun, Any) or {}).values()
        assert isinstance(update[0], RemoveMessage)
    assert [len(each.requests) for each in (strong, weak)] == [1, 1]


def test_one_model_twice_is_told(gpt_4o: Any, mini: Any, strong: Upstream) -> None:
    same = "'strong' and 'weak' are the same model 'gpt-4o'"
    with pytest.raises(ConfigError, match=same):
        ChatRouteLLM(gpt_4o, client(strong), **LENGTH)
    with pytest.raises(ConfigError, match=same):
        RouteLLMMiddleware(gpt_4o, client(strong), **LENGTH)
    for twin in (gpt_4o, client(strong)):
        agent = create_agent(gpt_4o, [lookup], middleware=[RouteLLMMiddleware(twin, **LENGTH)])
        with pytest.raises(ConfigError, match=same):
            agent.invoke(asked(EASY))
    assert not strong.requests
    warmer = client(strong, temperature=0.9)
    assert ChatRouteLLM(gpt_4o, warmer, **LENGTH).invoke([HumanMessage(EASY)]).content


async def test_one_model_twice_is_told_once_an_agent_runs(gpt_4o: Any, strong: Upstream) -> None:
    agent = create_agent(gpt_4o, middleware=[RouteLLMMiddleware(gpt_4o, **LENGTH)])
    with pytest.raises(ConfigError, match="are the same model"):
        await agent.ainvoke(asked(EASY))


@pytest.mark.parametrize("name", ["top_p", "top_k", "seed", "http_client", "model_kwargs"])
def test_what_is_for_the_models_is_told(gpt_4o: Any, mini: Any, name: str) -> None:
    for make in (
        lambda **own: ChatRouteLLM(gpt_4o, mini, **LENGTH, **own),
        lambda **own: RouteLLMMiddleware(mini, **LENGTH, **own),
    ):
        with pytest.raises(ConfigError) as caught:
            make(**{name: 1})
        assert f"'{name}' is for the models" in str(caught.value)
        assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("given", [None, 5, {"role": "user", "content": "hi"}])
def test_what_is_no_input_is_refused_in_the_same_words(
    strong: Upstream, mini: Any, given: Any
) -> None:
    bare = client(strong)
    routed = ChatRouteLLM(bare, mini, **LENGTH)
    for call in (
        lambda model: model.invoke(given),
        lambda model: list(model.stream(given)),
        lambda model: model.batch([given]),
    ):
        with pytest.raises(ValueError, match="Invalid input type") as refused:
            call(bare)
        with pytest.raises(ValueError, match="Invalid input type") as also:
            call(routed)
        assert str(also.value) == str(refused.value)
