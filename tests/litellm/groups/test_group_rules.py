"""What a proxy's owner sets for a group holds for requests that an alias sends there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.limited_keys import budgeted_key
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, body_of, get, post, send
from tests.litellm.configs import HANDLER, KEY, alias, group

SECRET = "the word xylographer is forbidden in all that is said here by anyone at any time"
GROUPS = {"gpt-4o-router": ("gpt-4o", "gpt-4o-mini"), "wide-router": ("wide", "gpt-4o-mini")}
MODES = ("pre_call", "during_call")
POLICIES: dict[str, dict[str, Any]] = {
    "policy": {"guardrails": {"add": ["pre_call"]}},
    "pipeline": {
        "guardrails": {"add": ["pre_call"]},
        "pipeline": {"mode": "pre_call", "steps": [{"guardrail": "pre_call"}]},
    },
    "lenient": {
        "guardrails": {"add": ["pre_call"]},
        "pipeline": {
            "mode": "pre_call",
            "steps": [{"guardrail": "pre_call", "on_fail": "allow"}],
        },
    },
}


def guardrail(mode: str) -> dict[str, Any]:
    words = [{"keyword": "xylographer", "action": "BLOCK"}]
    params = {"guardrail": "litellm_content_filter", "mode": mode, "blocked_words": words}
    return {"guardrail_name": mode, "litellm_params": params}


def known(name: str, upstream: Upstream, **params: Any) -> dict[str, Any]:
    entry = group(name, upstream)
    entry["litellm_params"].update(params)
    return entry


def ask(proxy: ProxyProcess, model: str, text: str, key: str = KEY) -> Any:
    return post(proxy, "v1/chat/completions", body_of("chat/completions", model, text), key)


@pytest.fixture(scope="module")
def failing() -> Iterator[Upstream]:
    with Upstream("failing") as upstream:
        upstream.failing_with = 500
        yield upstream


@pytest.fixture(scope="module")
def own() -> Iterator[Upstream]:
    with Upstream("own") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    failing: Upstream,
    own: Upstream,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    usual = {"router": "length", "threshold": 0.6}
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            group("limited", strong),
            known("free", weak, **free),
            *(known(mode, strong, guardrails=[mode]) for mode in MODES),
            alias("gpt-4o-router", **usual),
            alias("limited-router", strong="limited", **usual),
            alias("free-router", weak="free", **usual),
            *(alias(f"{mode}-router", strong=mode, **usual) for mode in (*MODES, *POLICIES)),
            *(group(policy, strong) for policy in POLICIES),
            group("failing", failing),
            group("failing-first", failing),
            group("falling", strong),
            known("dear", strong, input_cost_per_token=0.01, output_cost_per_token=0.01),
            alias("dear-router", strong="dear", **usual),
            alias("routed/dear", strong="dear", **usual),
            known("wide", strong, model="openai/gpt-4.1"),
            known("thinking", strong, model="openai/o3-mini"),
            alias("thinking-router", strong="thinking", **usual),
            alias("failing-router", strong="failing", **usual),
            alias("falling-router", strong="falling", **usual),
            alias("wide-router", strong="wide", **usual),
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "fallbacks": [{"failing-first": ["gpt-4o-router"]}, {"falling": ["gpt-4o-mini"]}],
        },
        "guardrails": [guardrail(mode) for mode in MODES],
        "policies": POLICIES,
        "policy_attachments": [{"policy": each, "models": [each]} for each in POLICIES],
        "general_settings": {
            "custom_auth": "tests.fakes.limited_keys.authenticate",
            "dangerously_allow_mock_testing_request_params": True,
        },
        "credential_list": [
            {
                "credential_name": "own",
                "credential_values": {"api_base": own.url, "api_key": "sk-own"},
                "credential_info": {},
            }
        ],
        "litellm_settings": {
            "callbacks": [HANDLER],
            "enable_model_config_credential_overrides": True,
        },
    }
    with proxy_with(config) as process:
        yield process


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stream", [False, True])
def test_guardrails_of_the_group(
    proxy: ProxyProcess, strong: Upstream, mode: str, endpoint: str, stream: bool
) -> None:
    plain = send(proxy, endpoint, mode, SECRET, stream=stream)
    asked = len(strong.asked("xylographer"))
    routed = send(proxy, endpoint, f"{mode}-router", SECRET, stream=stream)
    assert (plain.status_code, routed.status_code) == (400, 400)
    if mode == "pre_call":
        assert len(strong.asked("xylographer")) == asked
    assert send(proxy, endpoint, f"{mode}-router", HARD, stream=stream).status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("policy", POLICIES)
def test_policies_for_the_group(
    proxy: ProxyProcess, strong: Upstream, weak: Upstream, policy: str, endpoint: str
) -> None:
    asked = len(strong.asked("xylographer"))
    answers = [send(proxy, endpoint, model, SECRET) for model in (policy, f"{policy}-router")]
    if policy == "lenient":
        assert [answer.status_code for answer in answers] == [200, 200]
    else:
        assert [answer.status_code for answer in answers] == [400, 400]
        assert len(strong.asked("xylographer")) == asked
    answers = [send(proxy, endpoint, model, HARD) for model in (policy, f"{policy}-router")]
    assert [answer.status_code for answer in answers] == [200, 200]
    applied = [answer.headers.get("x-litellm-applied-policies") for answer in answers]
    assert applied == [policy, policy]
    # The other group has no policy, as it has none where a request names it.
    easy = send(proxy, endpoint, f"{policy}-router", "xylographer")
    assert easy.headers["x-routellm-tier"] == "weak"
    assert easy.status_code == 200, easy.text


@pytest.mark.parametrize("model", ["limited", "limited-router"])
def test_limits_of_a_key_for_the_group(proxy: ProxyProcess, model: str) -> None:
    statuses = [ask(proxy, model, HARD, f"sk-{model}").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize("budget", ["dear", "dear*"])
def test_a_budget_of_a_key_is_charged_once(proxy: ProxyProcess, budget: str) -> None:
    """Also where its entry is for the alias as for the group: ``dear`` is for ``routed/dear``."""
    if "*" in budget and Version(version("litellm")) < Version("1.109"):
        pytest.skip("this LiteLLM has no budgets for patterns")
    cost = float(ask(proxy, "dear", HARD).headers["x-litellm-response-cost"])
    assert cost > 0
    for number, model in enumerate(("dear-router", "routed/dear")):
        key = budgeted_key(number, budget, 1.5 * cost)
        statuses = []
        for _ in range(3):
            statuses.append(ask(proxy, model, HARD, key).status_code)
            time.sleep(1)  # LiteLLM charges a moment after an answer
        assert statuses[:2] == [200, 200], model
        assert statuses[2] in (400, 422, 429), model  # as this LiteLLM has it


def test_a_key_of_the_alias_may_use_it(proxy: ProxyProcess) -> None:
    for text, served in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
        answer = ask(proxy, "gpt-4o-router", text, "sk-of-the-alias")
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-litellm-model-group"] == served
        assert answer.json()["model"] == "gpt-4o-router"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_credentials_of_a_team(proxy: ProxyProcess, own: Upstream, endpoint: str) -> None:
    """Those for the group that is chosen or for the alias, and no others."""
    if Version(version("litellm")) < Version("1.108"):
        pytest.skip("this LiteLLM serves later requests with them too, also of a plain group")
    models = [("gpt-4o", HARD), ("gpt-4o-router", HARD), ("gpt-4o-router", EASY)]
    for key, expected in (("sk-own-strong", [1, 1, 0]), ("sk-own-alias", [0, 1, 1])):
        served = []
        for model, text in models:
            own.requests.clear()
            answer = post(proxy, f"v1/{endpoint}", body_of(endpoint, model, text), key)
            assert answer.status_code == 200, answer.text
            served.append(len(own.requests))
        assert served == expected, key


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_headers_of_failures(proxy: ProxyProcess, endpoint: str, stream: bool) -> None:
    answer = send(proxy, endpoint, "failing-router", HARD, stream=stream)
    assert answer.status_code == 500 or "error" in answer.text
    assert answer.headers["x-routellm-model"] == "failing"
    assert answer.headers["x-routellm-tier"] == "strong"


def test_headers_of_an_alias_that_is_a_fallback(proxy: ProxyProcess) -> None:
    for endpoint in ("chat/completions", "messages", "responses"):
        answer = send(proxy, endpoint, "failing-first", EASY)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-routellm-model"] == "gpt-4o-mini", endpoint
        assert answer.headers["x-litellm-attempted-fallbacks"] == "1"


def test_fallbacks_can_be_tested(proxy: ProxyProcess) -> None:
    answers = [
        send(proxy, "chat/completions", model, HARD, mock_testing_fallbacks=True)
        for model in ("falling", "falling-router")
    ]
    assert [a.status_code for a in answers] == [200, 200]
    groups = [a.headers["x-litellm-model-group"] for a in answers]
    assert groups == ["gpt-4o-mini", "gpt-4o-mini"]


def test_windows_prices_and_capabilities_are_those_of_the_groups(proxy: ProxyProcess) -> None:
    listed = {model["id"]: model for model in get(proxy, "v1/models")["data"]}
    infos = {info["model_group"]: info for info in get(proxy, "model_group/info")["data"]}
    for model in ("gpt-4o-router", "wide-router"):
        for name in ("max_input_tokens", "max_output_tokens"):
            smallest = min(infos[group][name] for group in GROUPS[model])
            assert infos[model][name] == listed[model][name] == smallest
        dearest = max(infos[group]["input_cost_per_token"] for group in GROUPS[model])
        assert infos[model]["input_cost_per_token"] == dearest
        assert infos[model]["supports_vision"] is True
        assert infos[model]["supports_function_calling"] is True
        assert infos[model]["mode"] == listed[model]["mode"] == "chat"


def test_health_follows_from_the_groups(proxy: ProxyProcess, failing: Upstream) -> None:
    health = get(proxy, "health")
    assert {e.get("api_base") for e in health["unhealthy_endpoints"]} == {failing.url}
    assert len(health["unhealthy_endpoints"]) == 2, "the groups alone"


@pytest.mark.parametrize("text", [EASY, HARD])
def test_a_parameter_that_one_group_takes(proxy: ProxyProcess, text: str) -> None:
    strong, weak = (
        send(proxy, "chat/completions", model, text, reasoning_effort="low").status_code
        for model in ("thinking", "gpt-4o-mini")
    )
    assert (strong, weak) == (200, 400)
    answer = send(proxy, "chat/completions", "thinking-router", text, reasoning_effort="low")
    assert answer.status_code == 200, answer.text


def test_a_parameter_that_no_group_takes(proxy: ProxyProcess) -> None:
    for model in ("gpt-4o", "gpt-4o-router"):
        answer = send(proxy, "chat/completions", model, HARD, reasoning_effort="low")
        assert answer.status_code == 400
