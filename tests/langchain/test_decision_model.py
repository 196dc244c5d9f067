"""RouteLLMDecisionModel in LangChain's own model router; a clear error where there is none."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

pytest.importorskip("langchain_core")

from langchain_core import __version__
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from routellm_core import ConfigError, MissingExtraError
from routellm_plugins import langchain as adapter
from routellm_plugins.langchain import route_on
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD

pytestmark = pytest.mark.usefixtures("fresh")

VERSION = tuple(int(part) for part in __version__.split(".")[:2])
NEW = VERSION >= (1, 8)
with_decisions = pytest.mark.skipif(
    not NEW, reason=f"langchain-core {__version__} has no decision models; 1.8 has"
)
LENGTH: dict[str, Any] = {"router": "length", "threshold": 0.8}


def choice(*labels: str) -> Any:
    from langchain_core.decisions import Choice

    return Choice(instructions="Which?", criteria=dict.fromkeys(labels))


def answered(state: Any, question: Any = None, **settings: Any) -> Any:
    model = adapter.RouteLLMDecisionModel(**{**LENGTH, **settings})
    questions = {"model": question or choice("strong", "weak")}
    return model.invoke({"state": state, "questions": questions}).answers["model"]


@pytest.mark.skipif(NEW, reason="this langchain-core has decision models")
def test_an_older_langchain_core_is_told_what_to_do() -> None:
    with pytest.raises(MissingExtraError, match=r'"langchain-core>=1.8", or use RouteLLMMiddle'):
        adapter.RouteLLMDecisionModel  # noqa: B018


@with_decisions
def test_a_choice_is_made_by_the_threshold_and_tells_the_win_rate() -> None:
    likelier = answered("one two three four five six seven")
    assert likelier.choice == "weak"
    assert likelier.probabilities == pytest.approx({"strong": 0.7, "weak": 0.3})
    assert likelier.confidence == pytest.approx(0.3)
    assert (answered(HARD).choice, answered(HARD).confidence) == ("strong", 1.0)
    assert answered(EASY, threshold=0.4).choice == "strong"


@with_decisions
def test_a_noul_is_the_win_rate() -> None:
    from langchain_core.decisions import Noul

    assert answered(EASY, Noul(instructions="Is it hard?")).noul == 0.5


@with_decisions
@pytest.mark.parametrize(
    "state",
    [
        HARD,
        HumanMessage(HARD),
        [SystemMessage(EASY), HumanMessage(HARD), AIMessage(EASY)],
        {"messages": [HumanMessage(HARD)], "user": EASY},
    ],
)
def test_the_humans_last_words_are_scored(state: Any) -> None:
    assert answered(state, on_no_text="weak").choice == "strong"


@with_decisions
@pytest.mark.parametrize("state", ["", [SystemMessage(HARD)], {"user": HARD}, [1, 2], {}])
def test_without_words_the_answer_is_the_one_that_was_set(state: Any) -> None:
    assert answered(state).probabilities == {"strong": 1.0, "weak": 0.0}
    assert answered(state, on_no_text="weak").probabilities == {"strong": 0.0, "weak": 1.0}


@with_decisions
@pytest.mark.usefixtures("stuck")
@pytest.mark.parametrize(("router", "timeout_ms"), [("failing", 10_000), ("stuck", 30)])
def test_a_failing_router_still_answers(router: str, timeout_ms: float) -> None:
    settings = {"router": router, "timeout_ms": timeout_ms}
    answer = answered(HARD, **settings, threshold=0.5, on_error="weak")
    assert answer.choice == "weak"


@with_decisions
def test_route_on_is_honoured() -> None:
    with route_on(HARD):
        assert answered(EASY).choice == "strong"


@with_decisions
def test_questions_it_cannot_answer_say_what_to_ask() -> None:
    from langchain_core.decisions import Score

    with pytest.raises(ConfigError, match="labels fast, slow: name the choices 'strong' and"):
        answered(EASY, choice("fast", "slow"))
    with pytest.raises(ConfigError, match="is a Score, and a router only answers Choice and Noul"):
        answered(EASY, Score(instructions="How hard?", criteria=["not", "very"]))


@with_decisions
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"treshold": 0.5}, "did you mean 'threshold'"),
        ({"threshold": 2}, "'threshold' is 2"),
        ({"router": "lenght"}, "did you mean 'length'"),
    ],
)
def test_mistakes_say_what_to_write(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        adapter.RouteLLMDecisionModel(**{**LENGTH, **settings})


def routed_agent(strong: Upstream, weak: Upstream) -> Any:
    """Return an agent with LangChain's router, a tool and a memory."""
    middleware = pytest.importorskip("langchain.agents.middleware")
    pytest.importorskip("langchain_openai")
    if not hasattr(middleware, "ModelRouterMiddleware"):
        pytest.skip("this langchain has no model router; 1.5 has")
    from langchain.agents import create_agent
    from langgraph.checkpoint.memory import InMemorySaver

    from tests.langchain.clients import client

    def lookup(city: str) -> str:
        """Look a city up."""
        return HARD

    models = {"strong": client(strong), "weak": client(weak)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LangChain's router is in beta, and says so once
        router = middleware.ModelRouterMiddleware(
            choices={
                tier: middleware.ModelChoice(model=model, criteria=None)
                for tier, model in models.items()
            },
            instructions="Which model?",
            classifier=adapter.RouteLLMDecisionModel(**LENGTH),
        )
    serde = InMemorySaver().serde.with_msgpack_allowlist(
        [("langchain_core.decisions.types", "ChoiceAnswer")]
    )
    memory = InMemorySaver(serde=serde)
    return create_agent(models["weak"], [lookup], middleware=[router], checkpointer=memory)


@with_decisions
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_it_drives_langchains_own_router(strong: Upstream, weak: Upstream, mode: str) -> None:
    agent = routed_agent(strong, weak)
    thread: Any = {"configurable": {"thread_id": mode}}
    for text, asked, idle in ((EASY, weak, strong), (HARD, strong, weak), (EASY, weak, strong)):
        before = len(idle.requests)
        question = {"messages": [HumanMessage(text)]}
        output = await agent.ainvoke(question, thread) if mode == "async" else None
        output = output or agent.invoke(question, thread)
        assert output["messages"][-1].response_metadata["model_name"] == asked.model
        assert len(idle.requests) == before
    route = agent.get_state(thread).values["model_route"]
    assert (route.choice, route.probabilities["strong"]) == ("weak", 0.5)
