"""What LiteLLM reads in the entry of the name that is asked for, in that of an alias.

What a client may set itself, whether an admin has paused it, whether it has a price, and whether a
silent stream is kept alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.other_endpoints import OtherEndpoints
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, body_of, get, post, send
from tests.litellm.configs import HANDLER, alias, group

USUAL = {"router": "length", "threshold": 0.6}
PERMITTED = {"configurable_clientside_auth_params": ["api_base"]}
ALIASES = ("copied-router", "marked-router", "open-first-router", "router-length-0.6")
"""Of a group whose address clients may set, and one whose they may not."""
LISTED = tuple(name for name in ALIASES if name != "router-length-0.6")  # it is of a pattern


def entry(name: str, upstream: Upstream, **params: Any) -> dict[str, Any]:
    made = group(name, upstream)
    made["litellm_params"].update(api_key=f"sk-of-{name}", **params)
    return made


def paused(made: dict[str, Any]) -> dict[str, Any]:
    return {**made, "model_info": {**made.get("model_info", {}), "blocked": True}}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[OtherEndpoints]:
    """A place that the config does not name."""
    with OtherEndpoints("elsewhere") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def slow() -> Iterator[Upstream]:
    with Upstream("slow", delay_s=2) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, slow: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    opened = entry("open", weak, **PERMITTED)
    cost = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}
    config = {
        "model_list": [
            entry("closed", strong),
            opened,
            entry("open-strong", strong, **PERMITTED),
            entry("open-weak", weak, **PERMITTED),
            {
                **alias("copied-router", strong="closed", weak="open", **USUAL),
                "litellm_params": opened["litellm_params"],
            },
            alias("marked-router", strong="closed", weak="open", **USUAL),
            alias("open-first-router", strong="open", weak="closed", **USUAL),
            {
                **alias("router-*", strong="closed", weak="open"),
                "litellm_params": opened["litellm_params"],
            },
            alias("open-router", strong="open-strong", weak="open-weak", **USUAL),
            entry("closing", strong, **PERMITTED),
            alias("closing-router", strong="closing", weak="open-weak", **USUAL),
            paused(entry("paused", strong)),
            alias("pausing-router", strong="paused", weak="closed", hold="cache", **USUAL),
            paused(alias("paused-router", strong="closed", weak="open", **USUAL)),
            entry("unpriced", strong, model="openai/of-no-price"),
            alias("unpriced-router", strong="unpriced", weak="closed", **USUAL),
            alias("router-unpriced", strong="closed", weak="unpriced", **USUAL),
            entry("silent", slow, keepalive_seconds=0, **cost),
            entry("silent-too", slow, keepalive_seconds=0, **cost),
            entry("pinging", slow, **cost),
            alias("silent-router", strong="silent", weak="silent-too", **USUAL),
            alias("pinging-router", strong="pinging", weak="silent", **USUAL),
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {
            "callbacks": [HANDLER, "tests.fakes.disturber.disturber"],
            "block_requests_for_models_without_pricing": True,
            "sse_keepalive_ping_interval_seconds": 0.5,
        },
    }
    with proxy_with(config) as process:
        yield process


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("text", [HARD, EASY])
def test_a_client_sends_no_groups_key_to_an_address_of_its_own(
    proxy: ProxyProcess, elsewhere: OtherEndpoints, endpoint: str, text: str
) -> None:
    """Only where both groups permit it; the group that does not may be the one that is chosen."""
    plain = send(proxy, endpoint, "closed", text, api_base=elsewhere.url)
    assert plain.status_code != 200
    for model in ALIASES:
        answer = send(proxy, endpoint, model, text, api_base=elsewhere.url)
        assert answer.status_code == plain.status_code, answer.text
        assert send(proxy, endpoint, model, text).status_code == 200
    assert not elsewhere.headers


@pytest.mark.parametrize("text", [HARD, EASY])
def test_a_client_sets_an_address_that_both_groups_let_it_set(
    proxy: ProxyProcess, elsewhere: OtherEndpoints, text: str
) -> None:
    # Groups that no other test has: LiteLLM 1.102 may send them what others ask, from then on.
    for model in ("open-strong", "open-router"):
        answer = send(proxy, "chat/completions", model, text, api_base=elsewhere.url)
        assert answer.status_code == 200, answer.text
        assert elsewhere.headers, model
        elsewhere.headers.clear()


def test_a_group_that_no_longer_permits_it(proxy: ProxyProcess, elsewhere: OtherEndpoints) -> None:
    assert permitted(proxy, "closing-router") == [["api_base"]]
    close = {"disturb": "close", "group": "closing"}
    assert send(proxy, "chat/completions", "closed", HARD, metadata=close).status_code == 200
    answer = send(proxy, "chat/completions", "closing-router", HARD, api_base=elsewhere.url)
    assert answer.status_code != 200
    assert not elsewhere.headers


def test_what_a_client_may_set_is_listed(proxy: ProxyProcess) -> None:
    assert permitted(proxy, *LISTED, "closed") == [None] * (len(LISTED) + 1)
    assert permitted(proxy, "open-router") == [["api_base"]]


def permitted(proxy: ProxyProcess, *models: str) -> list[Any]:
    listed = {each["model_group"]: each for each in get(proxy, "model_group/info")["data"]}
    return [listed[model].get("configurable_clientside_auth_params") for model in models]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_paused_group_leaves_all_to_the_other(proxy: ProxyProcess, endpoint: str) -> None:
    assert send(proxy, endpoint, "paused", HARD).status_code == 403
    for text in (HARD, EASY):
        answer = send(proxy, endpoint, "pausing-router", text)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-routellm-model"] == "closed"
        assert answer.headers["x-routellm-cause"] == "no_group"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_alias_can_be_paused(proxy: ProxyProcess, endpoint: str) -> None:
    plain, routed = (
        send(proxy, endpoint, model, HARD).json()["error"] for model in ("paused", "paused-router")
    )
    assert routed == plain
    assert "blocked" in plain["message"]


@pytest.mark.parametrize(
    ("model", "priced"), [("unpriced-router", EASY), ("router-unpriced", HARD)]
)
def test_a_group_without_a_price_where_those_are_refused(
    proxy: ProxyProcess, model: str, priced: str
) -> None:
    unpriced = HARD if priced == EASY else EASY
    plain, refused = (send(proxy, "chat/completions", m, unpriced) for m in ("unpriced", model))
    assert plain.status_code == 403
    assert refused.status_code == 403
    assert refused.json() == plain.json()
    answer = send(proxy, "chat/completions", model, priced)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("endpoint", ["chat/completions", "messages"])
def test_a_stream_that_is_silent_at_first(proxy: ProxyProcess, endpoint: str) -> None:
    def pings(model: str) -> int:
        answer = post(proxy, f"v1/{endpoint}", body_of(endpoint, model, HARD, stream=True))
        assert answer.status_code == 200, answer.text
        return sum(line.startswith((":", "event: ping")) for line in answer.text.splitlines())

    assert [pings(model) for model in ("silent", "silent-router")] == [0, 0]
    assert all(pings(model) for model in ("pinging", "pinging-router"))
