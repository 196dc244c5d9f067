"""Shadow mode of a litellm.Router that an application builds itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm import Router
from litellm.types.router import Deployment, LiteLLM_Params, ModelInfo

from routellm_core.traffic.store.store import Store
from routellm_plugins.litellm import install
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.application.shared import answered_by, user
from tests.litellm.configs import alias, group

pytestmark = [
    # LiteLLM's own, about its TypedDicts.
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Router.(discard|model_list|upsert_deployment) is deprecated"
    ),
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(autouse=True)
def _fake_routers(plugin: Any) -> None:
    plugin(routers)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "traffic.db"


@pytest.fixture
def router(store: Path, strong: Upstream, weak: Upstream) -> Iterator[Router]:
    shadow = {"sample": 1.0, "budget_usd": 10, "store": str(store), "per_minute": 100_000}
    length = {"router": "length", "threshold": 0.6}
    observed = group("plain", strong)
    settings = {"observe": True, "strong": "plain", "weak": "gpt-4o-mini", "shadow": shadow}
    observed["model_info"] = {"routellm": {**length, **settings}}
    entries = [
        group("gpt-4o", strong),
        group("gpt-4o-mini", weak),
        observed,
        alias("routed", **length, shadow=shadow),
        alias("silent", **length),
        {**group("of-one", weak), "model_info": {"team_id": "one"}},
        alias("for-all", **length, weak="of-one", shadow=shadow),
    ]
    before = list(litellm.callbacks)
    router = Router(model_list=entries, num_retries=0)
    install(router)
    yield router
    router.discard()
    litellm.callbacks = before


async def pair(store: Path, prompt: str) -> dict[str, dict[str, Any]]:
    """Wait for both answers to a prompt, by tier."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if store.exists():
            rows = [row for row in Store(str(store)).sampled() if row["prompt"] == prompt]
            if len(rows) >= 2:
                return {row["tier"]: row for row in rows}
        await asyncio.sleep(0.1)
    raise AssertionError(f"both answers to {prompt!r} were not kept")


@pytest.mark.parametrize("how", ["sync", "async", "stream"])
@pytest.mark.parametrize(
    ("model", "prompt", "served"),
    [("routed", EASY, "weak"), ("routed", HARD, "strong"), ("plain", EASY, "strong")],
)
async def test_both_answers_are_kept(
    router: Router, store: Path, how: str, model: str, prompt: str, served: str
) -> None:
    words = f"{prompt}-{how}-{model}"  # as many words as the prompt
    if how == "sync":
        answer = await asyncio.to_thread(router.completion, model, user(words))
        assert answered_by(answer) == ("gpt-4o" if served == "strong" else "gpt-4o-mini")
    elif how == "async":
        await router.acompletion(model, user(words))
    else:
        stream = await router.acompletion(model, user(words), stream=True)
        assert [chunk async for chunk in stream]
    rows = await pair(store, words)
    assert {tier: row["shadow"] for tier, row in rows.items()} == {
        "strong": int(served == "weak"),
        "weak": int(served == "strong"),
    }
    for tier, name in (("strong", "gpt-4o "), ("weak", "gpt-4o-mini ")):
        assert rows[tier]["text"].startswith(name)
        assert words in rows[tier]["text"]
    requests = [row for row in Store(str(store)).requests() if row["request_id"]]
    assert {row["acted"] for row in requests} == {int(model == "routed")}
    assert len(requests) == 1


async def test_the_other_group_gets_the_same_request(
    router: Router, store: Path, strong: Upstream
) -> None:
    words = "Who borrowed my green umbrella?"
    before = len(strong.asked(words))
    await router.acompletion(
        "routed", user(words), tools=[WEATHER], temperature=0.25, max_tokens=77, user="somebody"
    )
    await pair(store, words)
    (sent,) = strong.asked(words)[before:]
    assert (sent["temperature"], sent["max_tokens"], sent["tools"]) == (0.25, 77, [WEATHER])
    assert "user" not in sent


async def test_what_an_admin_has_paused_gets_nothing(router: Router, store: Path) -> None:
    with Upstream("gpt-4o") as paused:
        params = LiteLLM_Params(**group("gpt-4o", paused)["litellm_params"])
        router.upsert_deployment(Deployment("gpt-4o", params, ModelInfo(id="paused", blocked=True)))
        for number in range(8):
            words = f"Which umbrella is number {number}?"
            await router.acompletion("routed", user(words))
            await pair(store, words)
        assert paused.requests == []


@pytest.mark.parametrize("asking", ["one", "two", None])
async def test_a_team_s_own_deployment_gets_what_that_team_asks_alone(
    router: Router, store: Path, asking: str | None
) -> None:
    """As for a request that names the group: LiteLLM lends no team the key of another."""
    with Upstream("gpt-4o-mini") as own:
        params = LiteLLM_Params(**group("gpt-4o-mini", own)["litellm_params"])
        public = {"team_id": "one", "team_public_model_name": "gpt-4o-mini"}
        for name in ("gpt-4o-mini", "internal"):
            info = ModelInfo(id=f"{name} of one", **public)
            router.upsert_deployment(Deployment(name, params, info))
        metadata = {"user_api_key_team_id": asking}
        for number in range(8):
            words = f"{HARD} {number} {asking}"
            await router.acompletion("routed", user(words), metadata=metadata)
            await pair(store, words)
        assert len(own.requests) == (8 if asking == "one" else 0)


async def test_a_group_that_is_another_team_s_gets_nothing(
    router: Router, store: Path, weak: Upstream
) -> None:
    for team, asked in (("two", 0), ("one", 1)):
        words = f"{HARD} of {team}"
        await router.acompletion("for-all", user(words), metadata={"user_api_key_team_id": team})
        if asked:
            await pair(store, words)
    assert [len(weak.asked(f"{HARD} of {team}")) for team in ("two", "one")] == [0, 1]


async def test_a_failed_call_is_neither_repeated_nor_changes_litellms_retries(
    router: Router, store: Path, strong: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "num_retries", 2)
    words = "Who repeats the question?"
    strong.failing_with = 500
    try:
        await router.acompletion("routed", user(words))
        rows = await pair(store, words)
    finally:
        strong.failing_with = None
    assert rows["strong"]["error"] == "error:InternalServerError"
    assert len(strong.asked(words)) == 1
    assert litellm.num_retries == 2


async def test_another_router_of_the_process_is_not_kept(
    router: Router, store: Path, strong: Upstream, weak: Upstream
) -> None:
    other = Router(model_list=[group("gpt-4o", strong), group("plain", weak)], num_retries=0)
    await other.acompletion("plain", user("Who asks another router?"))
    await router.acompletion("silent", user("Who asks without shadow?"))
    await router.acompletion("routed", user("Who asks this one?"))
    await pair(store, "Who asks this one?")
    assert len(list(Store(str(store)).requests())) == 1
    other.discard()


async def test_a_second_router_keeps_its_own(
    router: Router, tmp_path: Path, strong: Upstream, weak: Upstream
) -> None:
    path = tmp_path / "second.db"
    shadow = {"sample": 1.0, "budget_usd": 10, "store": str(path)}
    entries = [
        group("big", strong),
        group("small", weak),
        alias("second", router="length", threshold=0.6, strong="big", weak="small", shadow=shadow),
    ]
    second = Router(model_list=entries, num_retries=0)
    install(second)
    words = "Who asks the second router?"
    before = len(strong.asked(words))
    await second.acompletion("second", user(words))
    await pair(path, words)
    assert len(strong.asked(words)) == before + 1
    second.discard()
