"""What a key or its team sets about groups holds for what an alias sends there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.limited_keys import made_key
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, body_of, post
from tests.litellm.configs import HANDLER, KEY, alias, group

USUAL = {"router": "length", "threshold": 0.6}
DEAR = {"input_cost_per_token": 0.01, "output_cost_per_token": 0.01}
BUDGET = {"gpt-4o": {"max_budget": 0.001, "budget_duration": "1d"}}
MEMBERS_FALL_BACK = Version(version("litellm")) >= Version("1.108.7")
LIMITER = "dynamic_rate_limiter_v3"


def entry(name: str, upstream: Upstream, **params: Any) -> dict[str, Any]:
    made = group(name, upstream)
    made["litellm_params"].update(params)
    return made


@pytest.fixture(scope="module")
def spare() -> Iterator[Upstream]:
    with Upstream("spare") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def claude() -> Iterator[Upstream]:
    with Upstream("claude") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def failing() -> Iterator[Upstream]:
    with Upstream("failing") as upstream:
        upstream.failing_with = 500
        yield upstream


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    spare: Upstream,
    claude: Upstream,
    failing: Upstream,
    proxy_with: Callable[..., ProxyProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProxyProcess]:
    store = str(tmp_path_factory.mktemp("kept") / "traffic.db")
    shadow = {"sample": 1.0, "budget_usd": 10, "store": store, "per_minute": 100_000}
    config = {
        "model_list": [
            entry("gpt-4o", strong, **DEAR),
            group("gpt-4o-mini", weak),
            group("spare", spare),
            group("limited", strong),
            {
                **group("of a team", spare),
                "model_info": {"team_id": "one", "team_public_model_name": "limited"},
            },
            entry("claude", claude, model="anthropic/claude-3-haiku-20240307"),
            *(entry(f"{name}-full", strong, rpm=2) for name in ("plain", "routed")),
            alias("gpt-4o-router", **USUAL),
            alias("limited-router", strong="limited", **USUAL),
            alias("kept-router", shadow=shadow, **USUAL),
            {
                **group("of team three", spare),
                "model_info": {"team_id": "three", "team_public_model_name": "gpt-4o-router"},
            },
            alias("claude-router", weak="claude", **USUAL),
            alias("router-claude", strong="claude", weak="gpt-4o", router="length", threshold=1),
            alias("full-router", strong="routed-full", **USUAL),
            group("failing", failing),
            group("failing-too", failing),
            alias("failing-router", strong="failing", **USUAL),
            alias("failing-too-router", strong="failing-too", **USUAL),
            {
                "model_name": "openai/*",
                "litellm_params": {**group("x", failing)["litellm_params"], "model": "openai/*"},
            },
            alias("named-router", strong="big", weak="small", **USUAL),
            alias("pattern-router", strong="openai/big", weak="small", **USUAL),
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "model_group_alias": {"big": "failing", "small": "gpt-4o-mini"},
            "fallbacks": [
                {"big": ["small"]},
                {"openai/big": ["openai/other", "small"]},
                {"limited": ["spare"]},
                {"failing": ["gpt-4o-mini"]},
                {"failing-too": ["spare"]},
            ],
        },
        "general_settings": {
            "custom_auth": "tests.fakes.limited_keys.authenticate",
            "custom_auth_run_common_checks": True,
        },
        "litellm_settings": {
            "callbacks": [LIMITER, HANDLER],
            "enable_post_custom_auth_checks": True,
            "priority_reservation": {"dev": 0.5},
        },
    }
    with proxy_with(config) as process:
        yield process


def ask(
    proxy: ProxyProcess, model: str, text: str, key: str = KEY, endpoint: str = "chat/completions"
) -> Any:
    return post(proxy, f"v1/{endpoint}", body_of(endpoint, model, text), key)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "values",
    [
        {"aliases": {"gpt-4o": "spare"}},
        {"team_id": "two", "team_model_aliases": {"gpt-4o": "spare"}},
        {"router_settings": {"model_group_alias": {"gpt-4o": "spare"}}},
        {"router_settings": {"model_group_alias": {"gpt-4o": {"model": "spare"}}}},
    ],
)
def test_a_group_that_a_key_calls_by_that_name(
    proxy: ProxyProcess, values: dict[str, Any], endpoint: str
) -> None:
    key = made_key(0, **values)
    for model in ("gpt-4o", "gpt-4o-router"):
        answer = ask(proxy, model, HARD, key, endpoint)
        assert answer.status_code == 200, (model, answer.text)
        assert "spare here" in answer.text, model
        assert answer.headers["x-litellm-model-group"] == "spare"
    assert answer.headers["x-routellm-tier"] == "strong"
    assert answer.headers["x-routellm-model"] == "spare"
    # The other group keeps its name.
    assert ask(proxy, "gpt-4o-router", EASY, key).headers["x-routellm-model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    "values",
    [
        {"aliases": {"gpt-4o": "spare"}},
        {"router_settings": {"model_group_alias": {"gpt-4o": "spare"}}},
    ],
)
def test_such_a_group_that_the_key_may_not_use(proxy: ProxyProcess, values: dict[str, Any]) -> None:
    key = made_key(1, models=["gpt-4o", "gpt-4o-router"], **values)
    plain, routed = (ask(proxy, m, HARD, key).status_code for m in ("gpt-4o", "gpt-4o-router"))
    assert routed == plain  # LiteLLM 1.102 lets a key have what its own aliases name
    assert plain == 403 or "aliases" in values
    assert ask(proxy, "gpt-4o-router", EASY, key).status_code == 200


@pytest.mark.parametrize(
    "values",
    [
        {"aliases": {"gpt-4o": "gpt-4o-router"}},
        {"team_id": "two", "team_model_aliases": {"gpt-4o": "gpt-4o-router"}},
        {"router_settings": {"model_group_alias": {"gpt-4o": "gpt-4o-router"}}},
    ],
)
def test_a_key_that_calls_the_alias_by_the_name_of_a_group(
    proxy: ProxyProcess, values: dict[str, Any]
) -> None:
    key = made_key(2, **values)
    for model in ("gpt-4o", "gpt-4o-router"):
        for text, served in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
            answer = ask(proxy, model, text, key)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-routellm-model"] == served
    of_alias = made_key(7, models=["gpt-4o-router"], **values)
    assert ask(proxy, "gpt-4o-router", HARD, of_alias).status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_key_of_the_alias_alone_falls_back_to_its_other_group(
    proxy: ProxyProcess, failing: Upstream, endpoint: str
) -> None:
    """And to a third as a key of the group alone; LiteLLM 1.102 checks no fallbacks with a key."""
    for model in ("failing-router", "named-router", "pattern-router"):
        own = made_key(11, models=[model])
        answer = ask(proxy, model, HARD, own, endpoint)
        assert answer.status_code == 200, answer.text
        assert "gpt-4o-mini here" in answer.text, model
    third = []
    for model in ("failing-too", "failing-too-router"):
        key = made_key(12, models=[model])
        third.append(ask(proxy, model, HARD, key, endpoint).status_code)
        may = made_key(13, models=[model, "spare"])
        assert "spare here" in ask(proxy, model, HARD, may, endpoint).text, model
    assert third[0] == third[1]


def test_a_deployment_of_a_team(proxy: ProxyProcess) -> None:
    for model in ("limited", "limited-router"):
        for team, served in (("one", "spare"), ("two", "gpt-4o")):
            key = made_key(3, team_id=team)
            assert f"{served} here" in ask(proxy, model, HARD, key).text, model


@pytest.mark.parametrize("own", [False, True])
def test_settings_that_a_client_writes_into_its_request_rename_no_group(
    proxy: ProxyProcess, own: bool
) -> None:
    """As for the group; those of its key do, whatever the client writes."""
    to_spare = {"model_group_alias": {"gpt-4o": "spare"}}
    key = made_key(30, **({"router_settings": to_spare} if own else {}))
    for model in ("gpt-4o", "gpt-4o-router"):
        body = body_of("chat/completions", model, HARD)
        answer = post(
            proxy, "v1/chat/completions", {**body, "router_settings_override": to_spare}, key
        )
        assert f"{'spare' if own else 'gpt-4o'} here" in answer.text, (model, answer.text)


def test_a_deployment_of_a_team_under_the_name_of_an_alias(proxy: ProxyProcess) -> None:
    for team, served in (("three", "spare"), ("two", "gpt-4o")):
        for endpoint in ENDPOINTS:
            key = made_key(5, team_id=team)
            answer = ask(proxy, "gpt-4o-router", HARD, key, endpoint)
            assert f"{served} here" in answer.text, (team, endpoint, answer.text)


@pytest.mark.parametrize("strong_first", [True, False])
def test_another_group_that_the_key_has_in_place_of_one_is_not_called_in_the_background(
    proxy: ProxyProcess, strong: Upstream, weak: Upstream, strong_first: bool
) -> None:
    text, other, called = (HARD, "gpt-4o-mini", weak) if strong_first else (EASY, "gpt-4o", strong)
    seen: list[int] = []
    for number, values in enumerate(({"aliases": {other: "spare"}}, {})):
        words = f"{text}-{number}-{other}"  # as many words
        answer = ask(proxy, "kept-router", words, made_key(20 + number, **values))
        assert answer.status_code == 200, answer.text
        deadline = time.monotonic() + (10 if not values else 3)
        while not called.asked(words) and time.monotonic() < deadline:
            time.sleep(0.1)
        seen.append(len(called.asked(words)))
    assert seen == [0, 1]


def test_budget_fallbacks(proxy: ProxyProcess) -> None:
    for number, model in enumerate(("gpt-4o", "gpt-4o-router")):
        fallbacks = {"gpt-4o": ["spare"]}
        key = made_key(number, model_max_budget=BUDGET, budget_fallbacks=fallbacks)
        assert "gpt-4o here" in ask(proxy, model, HARD, key).text, model
        time.sleep(1)  # LiteLLM charges a moment after an answer
        answer = ask(proxy, model, HARD, key)
        assert answer.status_code == 200, (model, answer.text)
        assert answer.headers["x-litellm-model-group"] == "spare", model


@pytest.mark.parametrize(
    ("models", "fallback", "status"),
    [
        (["gpt-4o", "gpt-4o-router"], "spare", 422),
        (["gpt-4o-router"], "gpt-4o-mini", 200),  # which the alias may choose for this key
        ([], "limited-router", 422),  # which could choose the group of the budget
    ],
)
def test_budget_fallbacks_that_a_key_may_use(
    proxy: ProxyProcess, models: list[str], fallback: str, status: int
) -> None:
    key = made_key(
        5,
        models=models,
        model_max_budget=BUDGET,
        budget_fallbacks={"gpt-4o": [fallback]},
    )
    assert ask(proxy, "gpt-4o-router", HARD, key).status_code == 200
    time.sleep(1)
    refused = ask(proxy, "gpt-4o-router", HARD, key)
    assert (refused.status_code == 200) == (status == 200), refused.text


def test_a_budget_that_is_used_up_is_told_as_for_the_group(proxy: ProxyProcess) -> None:
    told = []
    for number, model in enumerate(("gpt-4o", "gpt-4o-router"), 8):
        key = made_key(number, model_max_budget=BUDGET)
        assert ask(proxy, model, HARD, key).status_code == 200
        time.sleep(1)
        refused = ask(proxy, model, HARD, key)
        told.append((refused.status_code, refused.json()["error"]["type"]))
    assert told[0] == told[1]
    assert told[0][1] == "budget_exceeded"


@pytest.mark.skipif(not MEMBERS_FALL_BACK, reason="this LiteLLM refuses such a request")
@pytest.mark.parametrize(
    ("values", "served"),
    [
        ({}, "spare"),
        ({"models": ["limited-router"]}, None),
        ({"model_max_budget": {"spare": {"max_budget": 0, "budget_duration": "1d"}}}, None),
        ({"router_settings": {"fallbacks": [{"limited": ["gpt-4o-mini"]}]}}, "gpt-4o-mini"),
    ],
)
def test_a_budget_of_a_member_of_a_team_falls_back_as_the_group(
    proxy: ProxyProcess, values: dict[str, Any], served: str | None
) -> None:
    """Where the group does; LiteLLM itself needs a database to see that."""
    budget = {"limited": {"max_budget": 1e-6, "budget_duration": "1d"}}
    member = {"user_id": f"member {values}", "team_id": "three"}
    key = made_key(10, **member, team_member_model_max_budget=budget, **values)
    assert ask(proxy, "limited-router", HARD, key).headers["x-litellm-model-group"] == "limited"
    time.sleep(1)
    disabled = post(
        proxy,
        "v1/chat/completions",
        body_of("chat/completions", "limited-router", HARD, disable_fallbacks=True),
        key,
    )
    assert disabled.json()["error"]["type"] == "budget_exceeded"
    answer = ask(proxy, "limited-router", HARD, key)
    if served is None:
        assert answer.json()["error"]["type"] == "budget_exceeded"
    else:
        assert answer.headers["x-litellm-model-group"] == served, answer.text


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions"])
def test_a_limit_of_the_key_falls_back_as_the_group(proxy: ProxyProcess, endpoint: str) -> None:
    for model in ("limited", "limited-router"):
        key = made_key(6, metadata={"model_rpm_limit": {"limited": 1}, "of": model + endpoint})
        answers = [ask(proxy, model, HARD, key, endpoint) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        groups = [answer.headers["x-litellm-model-group"] for answer in answers]
        assert groups == ["limited", "spare"], model


def test_a_limiter_of_litellm_that_is_listed_first(proxy: ProxyProcess) -> None:
    statuses = {
        model: [ask(proxy, model, HARD).status_code for _ in range(4)]
        for model in ("plain-full", "full-router")
    }
    assert statuses["full-router"] == statuses["plain-full"]
    assert 429 in statuses["full-router"]


def test_streams_are_asked_for_their_usage_as_those_of_the_group(
    proxy: ProxyProcess, strong: Upstream, weak: Upstream
) -> None:
    """Anthropic's cannot be asked; LiteLLM asks by the entry of the name that is requested."""
    for model, text, upstream in (
        ("gpt-4o", f"{HARD} streamed, plainly", strong),
        ("claude-router", f"{HARD} streamed, routed", strong),
        ("router-claude", "streamed, to the other", strong),
        ("gpt-4o-router", "streamed, to the weak", weak),
    ):
        body = body_of("chat/completions", model, text, stream=True)
        answer = post(proxy, "v1/chat/completions", body)
        assert answer.status_code == 200, answer.text
        assert "usage" not in answer.text
        (asked,) = upstream.asked(text)
        assert asked.get("stream_options") == {"include_usage": True}, model
