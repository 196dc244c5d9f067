"""Shadow mode of a RouteLLMMiddleware: each call of an agent is kept, and the agent goes on as it
was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from routellm_core import ConfigError
from routellm_core.traffic.store.store import Store
from routellm_plugins.langchain import RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, asked, lookup, who
from tests.langchain.starts import Starts

pytestmark = pytest.mark.usefixtures("fresh")
PRICES = {"strong_price": "2.5,10", "weak_price": "0.15,0.6"}


class OtherOpenAI(ChatOpenAI):
    """A client of another class, whose tools may have another form."""


class City(BaseModel):
    name: str


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "traffic.db")


def shadowed(path: str, weak: Any, strong: Any = None, **shadow: Any) -> RouteLLMMiddleware:
    values = {"sample": 1.0, "budget_usd": 1, "store": path, "per_minute": 100_000, **PRICES}
    return RouteLLMMiddleware(weak, strong, shadow={**values, **shadow}, **LENGTH)


def kept(middleware: RouteLLMMiddleware, path: str) -> list[dict[str, Any]]:
    assert middleware._two_models is not None
    assert middleware._two_models.shadow.flush(30)
    return list(Store(path).sampled())


@pytest.mark.parametrize("how", ["sync", "async", "stream"])
@pytest.mark.parametrize(
    ("text", "tier", "other"), [(EASY, "weak", "strong"), (HARD, "strong", "weak")]
)
async def test_each_call_of_a_turn_is_kept_with_both_answers(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, path: str, how: str, text: str, tier: str, other: str
) -> None:
    middleware, seen = shadowed(path, mini), Starts()
    agent = create_agent(gpt_4o, [lookup], middleware=[middleware], system_prompt="Be brief.")
    config: Any = {"callbacks": [seen]}
    if how == "sync":
        output = agent.invoke(asked(text), config)
    elif how == "async":
        output = await agent.ainvoke(asked(text), config)
    else:
        *_, output = agent.stream(asked(text), config, stream_mode="values")
    assert len(set(who(output))) == 1
    assert len(seen.metadata) == 2  # its traces have the agent's own calls alone
    rows = kept(middleware, path)
    assert [row["tier"] for row in rows] == ["strong", "weak"] * 2
    for row in rows:
        assert row["shadow"] == int(row["tier"] == other)
        assert row["error"] is None
        assert row["prompt"] == text
    steps = [row for row in rows if row["tier"] == other]
    assert "lookup" in steps[0]["text"]  # the other model has the tools
    assert steps[1]["text"].startswith("gpt-4o" if other == "strong" else "gpt-4o-mini")
    assert "Be brief." in rows[0]["messages"]


def test_the_agents_answer_is_that_without_shadow(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, strong: Upstream, path: str
) -> None:
    outputs = []
    for middleware in (RouteLLMMiddleware(mini, **LENGTH), shadowed(path, mini)):
        agent = create_agent(gpt_4o, [lookup], middleware=[middleware])
        outputs.append([(m.type, m.content) for m in agent.invoke(asked(EASY))["messages"]])
    assert outputs[0] == outputs[1]


def test_a_structured_answer_is_asked_of_both(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, path: str
) -> None:
    middleware = shadowed(path, mini)
    agent = create_agent(gpt_4o, [], middleware=[middleware], response_format=ToolStrategy(City))
    assert isinstance(agent.invoke(asked(EASY))["structured_response"], City)
    texts = {row["tier"]: row["text"] for row in kept(middleware, path)}
    assert "City" in texts["strong"]
    assert "City" in texts["weak"]


def test_tools_are_not_sent_to_a_model_of_another_class(
    gpt_4o: ChatOpenAI, weak: Upstream, path: str
) -> None:
    mini = OtherOpenAI(model=weak.model, base_url=weak.url, api_key="unused", max_retries=0)
    middleware = shadowed(path, mini)
    create_agent(gpt_4o, [lookup], middleware=[middleware]).invoke(asked(EASY))
    assert kept(middleware, path) == []
    assert [row["propensity"] for row in Store(path).requests()] == [0, 0]
    create_agent(gpt_4o, [], middleware=[middleware]).invoke(asked(EASY))
    assert {row["tier"] for row in kept(middleware, path)} == {"strong", "weak"}


def test_an_other_model_that_fails_harms_nobody(
    gpt_4o: ChatOpenAI, mini: ChatOpenAI, strong: Upstream, path: str
) -> None:
    strong.failing_with = 500
    middleware = shadowed(path, mini, gpt_4o)
    agent = create_agent(gpt_4o, [], middleware=[middleware])
    assert who(agent.invoke(asked(EASY))) == ["gpt-4o-mini"]
    errors = {row["tier"]: row["error"] for row in kept(middleware, path)}
    assert errors["weak"] is None
    assert str(errors["strong"]).startswith("error:")


def test_wrapped_models_are_kept(gpt_4o: ChatOpenAI, mini: ChatOpenAI, path: str) -> None:
    middleware = shadowed(path, mini.with_retry(), gpt_4o.with_retry())
    output = create_agent(gpt_4o, [lookup], middleware=[middleware]).invoke(asked(EASY))
    assert len(set(who(output))) == 1
    assert len(kept(middleware, path)) == 4


def test_a_mistake_in_the_settings_is_told_first(mini: ChatOpenAI, gpt_4o: ChatOpenAI, path: str):
    with pytest.raises(ConfigError, match="shadow: 'sample'"):
        shadowed(path, mini, sample=3)
    with pytest.raises(ConfigError, match=r"shadow: .*price"):
        shadowed(path, mini, gpt_4o, weak_price="cheap")
