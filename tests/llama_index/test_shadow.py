"""Shadow mode of a RouteLLM: both answers are kept, and the application sees one call."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from routellm_core import ConfigError, register_plugin, unregister_plugin
from routellm_core.traffic.store.kept import Feedback
from routellm_core.traffic.store.store import Store
from routellm_plugins.llama_index import RouteLLM
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD


@pytest.fixture(scope="module")
def strong() -> Iterator[Upstream]:
    with Upstream("gpt-4o") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def weak() -> Iterator[Upstream]:
    with Upstream("gpt-4o-mini") as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _routers() -> Iterator[None]:
    register_plugin(routers)
    yield
    unregister_plugin(routers)


def client(upstream: Upstream) -> OpenAILike:
    return OpenAILike(
        model=str(upstream.model),
        api_base=upstream.url,
        api_key="unused",
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    )


def routed(strong: Upstream, weak: Upstream, path: Path, **shadow: Any) -> RouteLLM:
    values: dict[str, Any] = {"sample": 1.0, "budget_usd": 1, "store": path, "per_minute": 1e5}
    values |= {"strong_price": "2.5,10", "weak_price": "0.15,0.6", **shadow}
    return RouteLLM(client(strong), client(weak), router="length", threshold=0.6, shadow=values)


def kept(llm: RouteLLM, path: Path) -> dict[str, dict[str, Any]]:
    assert llm._two_models is not None
    assert llm._two_models.shadow.flush(30)
    rows = list(Store(str(path)).sampled())
    assert len({row["request_id"] for row in rows}) == 1
    return {row["tier"]: row for row in rows}


@pytest.mark.parametrize(("prompt", "tier"), [(EASY, "weak"), (HARD, "strong")])
@pytest.mark.parametrize(
    "how", ["chat", "achat", "stream_chat", "astream_chat", "complete", "predict"]
)
async def test_both_answers_are_kept(
    strong: Upstream, weak: Upstream, tmp_path: Path, how: str, prompt: str, tier: str
) -> None:
    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path)
    said = [ChatMessage(prompt)]
    if how == "chat":
        text = llm.chat(said).message.content
    elif how == "achat":
        text = (await llm.achat(said)).message.content
    elif how == "stream_chat":
        text = [*llm.stream_chat(said)][-1].message.content
    elif how == "astream_chat":
        text = [chunk async for chunk in await llm.astream_chat(said)][-1].message.content
    elif how == "complete":
        text = llm.complete(prompt).text
    else:
        text = llm.predict(PromptTemplate("Say it: {query_str}"), query_str=prompt)
    rows = kept(llm, path)
    other = {"weak": "strong", "strong": "weak"}[tier]
    assert [rows[tier]["shadow"], rows[other]["shadow"]] == [0, 1]
    assert rows[tier]["text"] == text
    assert rows[other]["text"].startswith({"strong": "gpt-4o ", "weak": "gpt-4o-mini "}[other])
    assert rows[tier]["prompt"] == prompt
    costs = {row["tier"]: row["cost_usd"] for row in Store(str(path)).answers()}
    assert costs[other] > 0


def test_the_other_llm_has_the_tools(strong: Upstream, weak: Upstream, tmp_path: Path) -> None:
    def get_weather(city: str) -> str:
        """Return the weather."""
        return "rain"

    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path)
    llm.chat_with_tools([FunctionTool.from_defaults(get_weather)], user_msg="Rain in Oslo then?")
    rows = kept(llm, path)
    assert "get_weather" in rows["strong"]["text"]
    assert "get_weather" in rows["weak"]["text"]


def test_the_applications_token_counts_are_its_own(
    strong: Upstream, weak: Upstream, tmp_path: Path
) -> None:
    counters = {}
    for name in ("plain", "shadow"):
        counter = TokenCountingHandler(tokenizer=str.split)
        path = tmp_path / f"{name}.db"
        llm = routed(strong, weak, path, sample=float(name == "shadow"))
        llm.callback_manager = CallbackManager([counter])
        llm.chat([ChatMessage(EASY)])
        assert llm._two_models is not None
        assert llm._two_models.shadow.flush(30)
        counters[name] = counter.total_llm_token_count
    assert counters["plain"] == counters["shadow"] > 0


def test_another_llm_that_fails_is_a_row(strong: Upstream, weak: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path)
    strong.failing_with = 500
    try:
        assert llm.chat([ChatMessage(EASY)]).message.content
        rows = kept(llm, path)
    finally:
        strong.failing_with = None
    assert rows["strong"]["error"].startswith("error:")


def test_another_llm_that_is_down_is_let_alone(
    strong: Upstream, weak: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path, concurrency=1)
    strong.failing_with = 500
    try:
        for _ in range(8):
            assert llm.chat([ChatMessage(EASY)]).message.content
            assert llm._two_models is not None
            assert llm._two_models.shadow.flush(30)
    finally:
        strong.failing_with = None
    rows = [row["error"] for row in Store(str(path)).sampled() if row["tier"] == "strong"]
    assert [each.partition(":")[0] for each in rows] == ["error"] * 5 + ["paused"] * 3


def test_feedback_names_the_answer_by_its_id(
    strong: Upstream, weak: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path)
    answer: Any = llm.chat([ChatMessage(EASY)])
    kept(llm, path)
    assert Store(str(path)).add_feedback([Feedback(answer.raw.id, 1.0)]) == (1, 0)


def test_copies_go_on_keeping(strong: Upstream, weak: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "traffic.db"
    llm = routed(strong, weak, path)
    shadow = llm._two_models and llm._two_models.shadow
    assert copy.deepcopy(shadow) is shadow
    assert pickle.loads(pickle.dumps(shadow)) is shadow


def test_mistakes_are_told_at_once(strong: Upstream, weak: Upstream, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shadow: unknown key 'sampel'"):
        routed(strong, weak, tmp_path / "traffic.db", sampel=1)
