"""Who may ask for an alias, and by which names: as for a plain group, with a real database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS
from tests.litellm.configs import HANDLER, alias, group
from tests.litellm.database.asking import ask, key, made
from tests.litellm.database.setting import database_missing, with_database

pytestmark = [
    pytest.mark.skipif(database_missing() is not None, reason=str(database_missing())),
    pytest.mark.timeout(600),
]
USUAL = {"router": "length", "threshold": 0.6}
DEAR = {"input_cost_per_token": 0.01, "output_cost_per_token": 0.01}
SERVED = ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini"))


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    plugin_path: str,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    def entry(name: str, upstream: Upstream, access: str) -> dict[str, Any]:
        made = group(name, upstream)
        made["litellm_params"].update(DEAR)
        return {**made, "model_info": {"access_groups": [access]}}

    routed = alias("gpt-4o-router", **USUAL)
    routed["model_info"]["access_groups"] = ["routed"]
    config = {
        "model_list": [
            entry("gpt-4o", strong, "plain"),
            entry("gpt-4o-mini", weak, "plain"),
            routed,
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "model_group_alias": {"renamed": "gpt-4o", "renamed-router": "gpt-4o-router"},
        },
        "general_settings": {"store_model_in_db": True, "proxy_batch_write_at": 1},
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with with_database(proxy_with, config, plugin_path) as (process,):
        yield process


def statuses(proxy: ProxyProcess, own: str, *models: str) -> dict[str, int]:
    return {model: ask(proxy, model, EASY, own).status_code for model in models}


def test_access_groups(proxy: ProxyProcess) -> None:
    plain, routed = key(proxy, models=["plain"]), key(proxy, models=["routed"])
    assert statuses(proxy, plain, "gpt-4o", "gpt-4o-mini", "gpt-4o-router") == {
        "gpt-4o": 200,
        "gpt-4o-mini": 200,
        "gpt-4o-router": 403,
    }
    assert statuses(proxy, routed, "gpt-4o", "gpt-4o-mini", "gpt-4o-router") == {
        "gpt-4o": 403,
        "gpt-4o-mini": 403,
        "gpt-4o-router": 200,
    }
    for text, served in SERVED:
        answer = ask(proxy, "gpt-4o-router", text, routed)
        assert answer.headers["x-routellm-model"] == served


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("holder", ["key", "team", "proxy"])
def test_other_names(proxy: ProxyProcess, endpoint: str, holder: str) -> None:
    names = {"renamed": "gpt-4o", "renamed-router": "gpt-4o-router"}
    if holder == "key":
        own = key(proxy, aliases={f"my-{name}": to for name, to in names.items()})
    elif holder == "team":
        team = made(proxy, "team/new", model_aliases={f"my-{n}": to for n, to in names.items()})
        own = key(proxy, team_id=team["team_id"])
    else:
        own = key(proxy)
    prefix = "" if holder == "proxy" else "my-"
    plain = ask(proxy, f"{prefix}renamed", HARD, own, endpoint)
    assert (plain.status_code, "gpt-4o here" in plain.text) == (200, True), plain.text
    for text, served in SERVED:
        answer = ask(proxy, f"{prefix}renamed-router", text, own, endpoint)
        assert answer.status_code == 200, answer.text
        assert f"{served} here" in answer.text
        assert answer.headers["x-routellm-model"] == served


def test_a_key_of_the_groups_may_not_use_the_alias_under_another_name(proxy: ProxyProcess) -> None:
    own = key(proxy, models=["gpt-4o", "gpt-4o-mini"], aliases={"mine": "gpt-4o-router"})
    told = statuses(proxy, own, "gpt-4o", "gpt-4o-router", "renamed-router")
    assert told == {"gpt-4o": 200, "gpt-4o-router": 403, "renamed-router": 403}
    # As LiteLLM has it for a plain group: a name that the key is given is its owner's to give.
    plain = key(proxy, models=["gpt-4o-mini"], aliases={"mine": "gpt-4o"})
    assert statuses(proxy, own, "mine") == statuses(proxy, plain, "mine")


def test_a_team_with_the_alias_alone(proxy: ProxyProcess) -> None:
    team = made(proxy, "team/new", models=["gpt-4o-router"])["team_id"]
    own = key(proxy, team_id=team)
    assert statuses(proxy, own, "gpt-4o-router", "gpt-4o")["gpt-4o-router"] == 200
    assert statuses(proxy, own, "gpt-4o")["gpt-4o"] in (401, 403)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-router"])
def test_a_budget_of_a_tag(proxy: ProxyProcess, model: str) -> None:
    tag = f"tag-{model}"
    made(proxy, "tag/new", name=tag, max_budget=0.001, budget_duration="1d")
    own = key(proxy)
    answers = [ask(proxy, model, HARD, own, metadata={"tags": [tag]})]
    assert answers[0].status_code == 200, answers[0].text
    deadline = time.monotonic() + 60
    while answers[-1].status_code == 200 and time.monotonic() < deadline:
        time.sleep(1)
        answers.append(ask(proxy, model, HARD, own, metadata={"tags": [tag]}))
    assert answers[-1].status_code in (422, 429), answers[-1].text  # as this LiteLLM has it
    assert answers[-1].json()["error"]["type"] == "budget_exceeded"
