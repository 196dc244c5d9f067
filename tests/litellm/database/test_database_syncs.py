"""Proxies that share a database, each of which reads it again and again.

A real PostgreSQL. ``make database`` prepares what LiteLLM needs to use one, and runs these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.other_endpoints import OtherEndpoints
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import get, post
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.database.asking import ask, changed, listed, made, once
from tests.litellm.database.setting import database_missing, with_database

pytestmark = [
    pytest.mark.skipif(database_missing() is not None, reason=str(database_missing())),
    pytest.mark.timeout(900),
]
USUAL = {"router": "length", "threshold": 0.6}
INTERVAL_S = 2
"""How often a proxy reads the database; LiteLLM's default is 30 seconds."""
FORBIDDEN = f"{HARD} xylographer"
DEAR = {"input_cost_per_token": 0.01, "output_cost_per_token": 0.02}
FREE = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}


def with_params(entry: dict[str, Any], **params: Any) -> dict[str, Any]:
    return {**entry, "litellm_params": {**entry["litellm_params"], **params}}


@pytest.fixture(scope="module")
def proxies(
    strong: Upstream,
    weak: Upstream,
    plugin_path: str,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[list[ProxyProcess]]:
    """Two, as in two pods of a deployment: the one is asked to change what the other reads."""
    words = [{"keyword": "xylographer", "action": "BLOCK"}]
    filtering = {"guardrail": "litellm_content_filter", "mode": "pre_call", "blocked_words": words}
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("gpt-4o-router", **USUAL),
        ],
        "guardrails": [{"guardrail_name": "words", "litellm_params": filtering}],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {
            "store_model_in_db": True,
            "proxy_config_reload_interval_seconds": INTERVAL_S,
        },
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with with_database(proxy_with, config, plugin_path, 2) as both:
        yield both


def several_syncs() -> None:
    time.sleep(3 * INTERVAL_S + 1)


def names(proxy: ProxyProcess) -> list[str]:
    return sorted(each["model_name"] for each in get(proxy, "model/info")["data"])


def facts(proxy: ProxyProcess, name: str) -> dict[str, Any]:
    (info,) = get(proxy, f"model_group/info?model_group={name}")["data"]
    return {k: info[k] for k in ("max_input_tokens", *DEAR, "supports_vision")}


def test_an_alias_stays_as_it_is(proxies: list[ProxyProcess], strong: Upstream) -> None:
    first, second = proxies
    guarded = with_params(group("guarded", strong), guardrails=["words"], **DEAR)
    guarded["model_info"] = {"max_input_tokens": 9_000, "supports_vision": False}
    made(first, "model/new", **guarded)
    made(first, "model/new", **with_params(alias("late", strong="guarded", **USUAL), **FREE))
    once(lambda: listed(second, "late"))
    for _ in range(2):
        several_syncs()
        for proxy in proxies:
            assert names(proxy) == ["gpt-4o", "gpt-4o-mini", "gpt-4o-router", "guarded", "late"]
            assert facts(proxy, "late") == facts(proxy, "guarded")
            (entry,) = (e for e in get(proxy, "model/info")["data"] if e["model_name"] == "late")
            assert entry["litellm_params"]["model"] == "openai/gpt-4o-mini"
            assert entry["litellm_params"]["guardrails"] == ["words"]
            assert ask(proxy, "guarded", FORBIDDEN, KEY).status_code == 400
            assert ask(proxy, "late", FORBIDDEN, KEY).status_code == 400
            for text, served in ((HARD, "guarded"), (EASY, "gpt-4o-mini")):
                answer = ask(proxy, "late", text, KEY)
                assert answer.status_code == 200, answer.text
                assert answer.headers["x-routellm-model"] == served
    assert not strong.asked("xylographer")


def test_an_alias_that_is_changed_and_deleted(proxies: list[ProxyProcess]) -> None:
    first, second = proxies
    entry = made(first, "model/new", **alias("passing", **USUAL))
    once(lambda: listed(second, "passing"))
    several_syncs()
    changed(first, entry, alias("passing", router="length", threshold=0.2)["model_info"])

    def changed_by_now() -> Any:
        answer = ask(second, "passing", EASY, KEY)
        return answer if answer.headers.get("x-routellm-threshold") == "0.2" else None

    assert once(changed_by_now).headers["x-routellm-tier"] == "strong"
    several_syncs()
    for proxy in proxies:
        assert names(proxy).count("passing") == 1
        assert ask(proxy, "passing", EASY, KEY).headers["x-routellm-threshold"] == "0.2"
    made(first, "model/delete", id=entry["model_id"])
    once(lambda: True if listed(second, "passing") is None else None)
    several_syncs()
    for proxy in proxies:
        assert "passing" not in names(proxy)
        assert "passing" not in [each["id"] for each in get(proxy, "v1/models")["data"]]
        gone, none = (ask(proxy, name, EASY, KEY).status_code for name in ("passing", "none"))
        assert gone == none


def test_files_follow_a_group_to_another_account(proxies: list[ProxyProcess]) -> None:
    """Also where nothing else is asked for between the change and the file."""
    first, second = proxies

    def uploaded(proxy: ProxyProcess) -> None:
        answer = httpx.post(
            f"{proxy.url}/v1/files",
            headers={"Authorization": f"Bearer {KEY}"},
            data={"purpose": "user_data", "model": "moving-router"},
            files={"file": ("a.txt", b"text")},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text

    with OtherEndpoints("old") as old, OtherEndpoints("new") as new:
        params = {"model": "openai/gpt-4o-mini", "api_base": old.url, "api_key": "sk-old"}
        entry = made(first, "model/new", model_name="moving", litellm_params=params)
        made(first, "model/new", **alias("moving-router", weak="moving", **USUAL))
        once(lambda: listed(second, "moving-router"))
        several_syncs()
        for proxy in proxies:
            uploaded(proxy)
        assert [each["authorization"] for each in old.headers] == ["Bearer sk-old"] * 2
        changed(first, entry, {}, api_base=new.url, api_key="sk-new")
        several_syncs()
        for proxy in proxies:
            uploaded(proxy)
        assert [each["authorization"] for each in new.headers] == ["Bearer sk-new"] * 2
        assert len(old.headers) == 2


def test_a_key_that_was_changed_or_removed_is_sent_nothing(proxies: list[ProxyProcess]) -> None:
    """Nor by endpoints that look up an entry and ask nothing of ours before."""
    first, second = proxies

    def count(proxy: ProxyProcess, model: str) -> None:
        asked = {"model": model, "messages": [{"role": "user", "content": HARD}]}
        answer = post(proxy, "bedrock/v1/messages/count_tokens", asked)
        assert answer.status_code == 200, answer.text

    with OtherEndpoints("old") as old, OtherEndpoints("new") as new, OtherEndpoints("far") as far:
        params = {"model": "openai/any", "api_base": old.url, "api_key": "sk-old"}
        strong = {**params, "api_base": far.url, "api_key": "sk-far"}
        made(first, "model/new", model_name="counted-strong", litellm_params=strong)
        entry = made(first, "model/new", model_name="counted", litellm_params=params)
        routed = alias("counted-router", strong="counted-strong", weak="counted", **USUAL)
        made(first, "model/new", **routed)
        once(lambda: listed(second, "counted-router"))
        several_syncs()
        for proxy in proxies:
            count(proxy, "counted-router")
        changed(first, entry, {}, api_base=new.url, api_key="sk-new")
        several_syncs()
        for proxy in proxies:
            count(proxy, "counted-router")
        made(first, "model/delete", id=entry["model_id"])
        once(lambda: True if listed(second, "counted") is None else None)
        for proxy in proxies:
            count(proxy, "counted-router")
        sent = [each["authorization"] for up in (old, new, far) for each in up.headers]
        assert sent == [f"Bearer sk-{key}" for key in ("old", "new", "far") for _ in proxies]


def test_settings_of_the_router_that_lead_to_an_alias(proxies: list[ProxyProcess]) -> None:
    first, second = proxies
    settings = {
        "model_group_alias": {"smart": "gpt-4o-router"},
        "routing_strategy": "least-busy",
    }
    made(first, "config/update", router_settings=settings)

    def smart() -> Any:
        answer = ask(second, "smart", EASY, KEY)
        return answer if answer.is_success else None

    once(smart)
    several_syncs()
    for proxy in proxies:
        for text, served in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
            answer = ask(proxy, "smart", text, KEY)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-routellm-model"] == served
