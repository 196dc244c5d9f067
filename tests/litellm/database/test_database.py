"""A proxy with a database: keys, teams, budgets, limits, and a config that is changed there.

A real PostgreSQL. ``make database`` prepares what LiteLLM needs to use one, and runs these.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, get
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.database.asking import ask, changed, key, listed, made, once
from tests.litellm.database.setting import database_missing, with_database

pytestmark = [
    pytest.mark.skipif(database_missing() is not None, reason=str(database_missing())),
    pytest.mark.timeout(600),
]
USUAL = {"router": "length", "threshold": 0.6}
DEAR = {"input_cost_per_token": 0.01, "output_cost_per_token": 0.01}
names = (f"named-{number}" for number in itertools.count())


def dear(name: str, upstream: Upstream) -> dict[str, Any]:
    entry = group(name, upstream)
    entry["litellm_params"].update(DEAR)
    return entry


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    plugin_path: str,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    config = {
        "model_list": [
            dear("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("gpt-4o-router", **USUAL),
            alias("team/gpt-4o", **USUAL),
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "general_settings": {"store_model_in_db": True, "proxy_batch_write_at": 1},
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with with_database(proxy_with, config, plugin_path) as (process,):
        yield process


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_key_of_the_alias_alone(proxy: ProxyProcess, endpoint: str) -> None:
    own = key(proxy, models=["gpt-4o-router"])
    for text, served in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
        answer = ask(proxy, "gpt-4o-router", text, own, endpoint)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-routellm-model"] == served
    statuses = {ask(proxy, model, EASY, own, endpoint).status_code for model in ("gpt-4o", "none")}
    assert statuses <= {401, 403}


def test_a_key_that_may_not_use_the_alias(proxy: ProxyProcess) -> None:
    own = key(proxy, models=["gpt-4o-mini"])
    assert ask(proxy, "gpt-4o-mini", EASY, own).status_code == 200
    plain = ask(proxy, "gpt-4o", EASY, own)
    routed = ask(proxy, "gpt-4o-router", EASY, own)
    assert routed.status_code == plain.status_code
    assert routed.json()["error"]["type"] == plain.json()["error"]["type"]


def test_what_aliases_do_is_told_to_admins_alone(proxy: ProxyProcess) -> None:
    def status(path: str, with_key: str) -> int:
        headers = {"Authorization": f"Bearer {with_key}"}
        return httpx.get(f"{proxy.url}/{path}", headers=headers, timeout=60).status_code

    own = key(proxy, models=["gpt-4o-router"])
    assert status("routellm/status", KEY) == 200
    plain, routed = (status(path, own) for path in ("config/list", "routellm/status"))
    assert routed == plain
    assert routed in (401, 403)


@pytest.mark.parametrize("holder", ["key", "team"])
@pytest.mark.parametrize("limit", ["model_rpm_limit", "model_tpm_limit"])
def test_limits_for_a_group(proxy: ProxyProcess, holder: str, limit: str) -> None:
    statuses: dict[str, list[int]] = {}
    for model in ("gpt-4o", "gpt-4o-router"):
        limits = {limit: {"gpt-4o": 2 if limit == "model_rpm_limit" else 1}}
        if holder == "team":
            team = made(proxy, "team/new", team_alias=next(names), **limits)["team_id"]
            own = key(proxy, team_id=team)
        else:
            own = key(proxy, **limits)
        statuses[model] = []
        for _ in range(4):
            statuses[model].append(ask(proxy, model, HARD, own).status_code)
            time.sleep(0.5)  # LiteLLM counts tokens a moment after an answer
        assert ask(proxy, "gpt-4o-router", EASY, own).status_code == 200
    assert statuses["gpt-4o-router"] == statuses["gpt-4o"]
    assert statuses["gpt-4o"][-1] == 429


def budgeted(proxy: ProxyProcess, holder: str, dollars: float) -> tuple[str, dict[str, Any]]:
    """Return a key whose requests, or a body by which requests, are charged to a new budget."""
    name = next(names)
    if holder == "key":
        return key(proxy, max_budget=dollars), {}
    if holder == "end_user":
        made(proxy, "customer/new", user_id=name, max_budget=dollars)
        return key(proxy), {"user": name}
    limits = {"max_budget": dollars} if holder == "team" else {}
    team = made(proxy, "team/new", team_alias=name, **limits)["team_id"]
    if holder == "team":
        return key(proxy, team_id=team), {}
    member = {"role": "user", "user_id": name}
    made(proxy, "team/member_add", team_id=team, member=member, max_budget_in_team=dollars)
    return key(proxy, team_id=team, user_id=name), {}


@pytest.mark.parametrize("holder", ["key", "end_user", "team", "team_member"])
def test_a_budget_is_charged_once(proxy: ProxyProcess, holder: str) -> None:
    """It refuses the same request of an alias as of its group, in the same way."""
    cost = float(ask(proxy, "gpt-4o", HARD, KEY).headers["x-litellm-response-cost"])
    answers: dict[str, list[httpx.Response]] = {}
    for model in ("gpt-4o", "gpt-4o-router", "team/gpt-4o"):
        own, more = budgeted(proxy, holder, 2.5 * cost)
        answers[model] = []
        for _ in range(4):
            answers[model].append(ask(proxy, model, HARD, own, **more))
            time.sleep(3)  # LiteLLM charges a moment after an answer
    outcomes = {
        model: [(a.status_code, a.json().get("error", {}).get("type")) for a in given]
        for model, given in answers.items()
    }
    assert [status for status, _ in outcomes["gpt-4o"]][:3] == [200, 200, 200]
    assert outcomes["gpt-4o"][3][0] != 200
    assert outcomes["gpt-4o-router"] == outcomes["team/gpt-4o"] == outcomes["gpt-4o"]


def test_what_is_stored_of_a_request(proxy: ProxyProcess) -> None:
    own = key(proxy)
    answer = ask(proxy, "gpt-4o-router", HARD, own)

    def stored() -> Any:
        rows = get(proxy, f"spend/logs?request_id={answer.json()['id']}")
        return rows[0] if isinstance(rows, list) and rows else None

    row = once(stored)
    assert row["model_group"] == "gpt-4o"
    assert row["spend"] > 0
    kept = row["metadata"]["spend_logs_metadata"]["routellm"]
    assert (kept["alias"], kept["model"], kept["tier"], kept["cause"], kept["score"]) == (
        "gpt-4o-router",
        "gpt-4o",
        "strong",
        "score",
        1,
    )


def test_an_alias_that_is_added(proxy: ProxyProcess, strong: Upstream, weak: Upstream) -> None:
    """Groups and alias come by /model/new, the alias first; then its group goes."""
    made(proxy, "model/new", **alias("late-router", strong="late", **USUAL))
    own = key(proxy)
    early = ask(proxy, "late-router", HARD, own)
    assert early.status_code == 200, early.text
    assert early.headers["x-routellm-cause"] == "no_group"
    late = made(proxy, "model/new", **group("late", strong))
    once(lambda: listed(proxy, "late"))
    for text, served in ((HARD, "late"), (EASY, "gpt-4o-mini")):
        answer = ask(proxy, "late-router", text, own)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-routellm-model"] == served
    made(proxy, "model/delete", id=late["model_id"])
    once(lambda: True if listed(proxy, "late") is None else None)
    answer = ask(proxy, "late-router", HARD, own)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-routellm-model"] == "gpt-4o-mini"
    assert answer.headers["x-routellm-cause"] == "no_group"


def test_an_alias_with_a_mistake_that_is_added(proxy: ProxyProcess) -> None:
    made(proxy, "model/new", **alias("mistaken", router="length", treshold=0.6))
    answer = once(
        lambda: (
            found
            if (found := ask(proxy, "mistaken", EASY, key(proxy))).status_code == 400
            else None
        )
    )
    assert "treshold" in answer.text
    assert ask(proxy, "gpt-4o-router", EASY, key(proxy)).status_code == 200


def test_an_alias_that_is_changed(proxy: ProxyProcess) -> None:
    entry = made(proxy, "model/new", **alias("changed", router="length", threshold=0.6))
    own = key(proxy)
    answer = once(lambda: found if (found := ask(proxy, "changed", EASY, own)).is_success else None)
    assert answer.headers["x-routellm-tier"] == "weak"
    changed(proxy, entry, alias("changed", router="length", threshold=0.2)["model_info"])

    def strong_now() -> Any:
        now = ask(proxy, "changed", EASY, own)
        return now if now.headers.get("x-routellm-tier") == "strong" else None

    assert once(strong_now).headers["x-routellm-threshold"] == "0.2"


def test_settings_that_are_updated(proxy: ProxyProcess) -> None:
    own = key(proxy)
    for strategy in ("least-busy", "latency-based-routing", "simple-shuffle"):
        made(proxy, "config/update", router_settings={"routing_strategy": strategy})
        time.sleep(1)
        for text, served in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
            answer = ask(proxy, "gpt-4o-router", text, own)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-routellm-model"] == served
            assert answer.json()["model"] == "gpt-4o-router"
