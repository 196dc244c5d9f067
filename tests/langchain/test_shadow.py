"""Shadow mode of a ChatRouteLLM: both answers are kept, and the application sees one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from routellm_core import ConfigError
from routellm_core.traffic.store.store import Store
from routellm_plugins.langchain import ChatRouteLLM
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.clients import client
from tests.langchain.starts import Starts


@tool
def get_weather(city: str) -> str:
    """Return the weather."""
    return "rain"


pytestmark = pytest.mark.usefixtures("fresh")


class Painter(BaseModel):
    """Who painted it."""

    name: str


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "traffic.db")


def routed(strong: Upstream, weak: Upstream, path: str, **shadow: Any) -> ChatRouteLLM:
    values = {"sample": 1.0, "budget_usd": 1, "store": path, "per_minute": 100_000, **shadow}
    values = {"strong_price": "2.5,10", "weak_price": "0.15,0.6", **values}
    return ChatRouteLLM(client(strong), client(weak), router="length", threshold=0.6, shadow=values)


def kept(llm: ChatRouteLLM, path: str) -> list[dict[str, Any]]:
    assert llm._two_models is not None
    assert llm._two_models.shadow.flush(30)
    return list(Store(path).sampled())


@pytest.mark.parametrize(("prompt", "tier"), [(EASY, "weak"), (HARD, "strong")])
@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke", "astream", "batch", "generate"])
async def test_both_answers_are_kept(
    strong: Upstream, weak: Upstream, path: str, how: str, prompt: str, tier: str
) -> None:
    llm, starts = routed(strong, weak, path), Starts()
    config: Any = {"callbacks": [starts]}
    if how == "invoke":
        answers = [llm.invoke(prompt, config)]
    elif how == "ainvoke":
        answers = [await llm.ainvoke(prompt, config)]
    elif how == "stream":
        answers = list(llm.stream(prompt, config))
    elif how == "astream":
        answers = [chunk async for chunk in llm.astream(prompt, config)]
    elif how == "batch":
        answers = llm.batch([prompt], config)
    else:
        from langchain_core.messages import HumanMessage

        result = llm.generate([[HumanMessage(prompt)]], callbacks=[starts])
        answers = [result.generations[0][0].message]
    rows = {row["tier"]: row for row in kept(llm, path)}
    other = {"weak": "strong", "strong": "weak"}[tier]
    assert [rows[tier]["shadow"], rows[other]["shadow"]] == [0, 1]
    assert "".join(str(each.text) for each in answers) == rows[tier]["text"]
    assert rows[other]["text"].startswith({"strong": "gpt-4o ", "weak": "gpt-4o-mini "}[other])
    assert rows[tier]["prompt"] == prompt
    assert rows[tier]["decided"] == tier
    assert len(starts.metadata) == 1  # the application's callbacks see its own call alone
    costs = {row["tier"]: row["cost_usd"] for row in Store(path).answers()}
    assert costs[other] > 0


def test_the_other_model_has_the_tools(strong: Upstream, weak: Upstream, path: str) -> None:
    llm = routed(strong, weak, path)
    assert llm.bind_tools([get_weather]).invoke("Rain in Oslo then?").tool_calls
    rows = {row["tier"]: row for row in kept(llm, path)}
    assert "get_weather" in rows["strong"]["text"]
    assert "get_weather" in rows["weak"]["text"]


def test_a_structured_output_is_kept_too(strong: Upstream, weak: Upstream, path: str) -> None:
    llm = routed(strong, weak, path)
    assert isinstance(llm.with_structured_output(Painter).invoke(EASY), Painter)
    rows = {row["tier"]: row for row in kept(llm, path)}
    assert rows["strong"]["error"] is None
    assert '"name"' in rows["strong"]["text"]


def test_the_question_of_a_chain_is_the_prompt(strong: Upstream, weak: Upstream, path: str) -> None:
    llm = routed(strong, weak, path)
    prompt = ChatPromptTemplate.from_template("Answer from this: {context}\n\n{question}")
    (prompt | llm).invoke({"context": "long " * 50, "question": EASY})
    rows = kept(llm, path)
    assert {row["prompt"] for row in rows} == {EASY}
    assert "long long" in rows[0]["messages"]


def test_feedback_names_the_answer_by_its_id(strong: Upstream, weak: Upstream, path: str) -> None:
    from routellm_core.traffic.store.kept import Feedback

    llm = routed(strong, weak, path)
    answer = llm.invoke(EASY)
    kept(llm, path)
    assert Store(path).add_feedback([Feedback(str(answer.id), 1.0)]) == (1, 0)


def test_another_model_that_fails_is_a_row(strong: Upstream, weak: Upstream, path: str) -> None:
    llm = routed(strong, weak, path)
    strong.failing_with = 500
    try:
        assert llm.invoke(EASY).text
        rows = {row["tier"]: row for row in kept(llm, path)}
    finally:
        strong.failing_with = None
    assert rows["strong"]["error"].startswith("error:")


def test_another_model_that_is_down_is_let_alone(
    strong: Upstream, weak: Upstream, path: str
) -> None:
    llm = routed(strong, weak, path, concurrency=1)
    strong.failing_with = 500
    try:
        for _ in range(8):
            assert llm.invoke(EASY).text
            rows = [row["error"] for row in kept(llm, path) if row["tier"] == "strong"]
    finally:
        strong.failing_with = None
    assert [each.partition(":")[0] for each in rows] == ["error"] * 5 + ["paused"] * 3


def test_copies_share_limits_and_the_store(strong: Upstream, weak: Upstream, path: str) -> None:
    first, second = routed(strong, weak, path), routed(strong, weak, path)
    assert first._two_models is not None
    assert second._two_models is not None
    assert first._two_models.shadow is second._two_models.shadow
    copied = first.model_copy(update={"threshold": 0.1})
    copied.invoke(EASY)
    assert len(kept(first, path)) == 2


def test_a_model_without_a_price_is_a_mistake(strong: Upstream, weak: Upstream, path: str) -> None:
    unknown = client(strong).model_copy(update={"model_name": "no-such-model"})
    shadow = {"sample": 1, "budget_usd": 1, "store": path}
    with pytest.raises(ConfigError, match=r"price of 'no-such-model' .*strong_price"):
        ChatRouteLLM(unknown, client(weak), router="length", threshold=0.6, shadow=shadow)
    with pytest.raises(ConfigError, match="shadow: unknown key 'sampel'"):
        routed(strong, weak, path, sampel=1)
