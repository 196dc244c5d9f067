"""What a request may set about routing, and what it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY
from tests.litellm.calls import ENDPOINTS, body_of, post
from tests.litellm.configs import HANDLER, alias, group

HEADER, KEY = "x-routellm-threshold", "routellm_threshold"
LIMITS = {"min": 0.3, "max": 0.9}


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    usual = {"router": "length", "threshold": 0.8}
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("open", **usual, allow_override=LIMITS),
            alias("closed", **usual, allow_override=False),
            alias("silent", **usual),
            alias("router-*", allow_override=LIMITS),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


def ask(proxy: ProxyProcess, endpoint: str, model: str, headers: Any = (), **more: Any) -> Any:
    if endpoint == "gemini":
        body = {"contents": [{"parts": [{"text": EASY}]}], **more}
        return post(proxy, f"v1beta/models/{model}:generateContent", body, **dict(headers))
    body = body_of(endpoint, model, EASY, **more)
    return post(proxy, f"v1/{endpoint}", body, **dict(headers))


def decided(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-routellm-tier"], answer.headers["x-routellm-threshold"]


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "gemini"])
def test_a_header_sets_the_threshold(proxy: ProxyProcess, endpoint: str) -> None:
    assert decided(ask(proxy, endpoint, "open")) == ("weak", "0.8")
    assert decided(ask(proxy, endpoint, "open", {HEADER: "0.4"})) == ("strong", "0.4")
    assert ask(proxy, endpoint, "open", {HEADER: "0.2"}).status_code == 400


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("value", [0.4, "0.4"])
def test_metadata_set_the_threshold(
    proxy: ProxyProcess, strong: Upstream, endpoint: str, value: object
) -> None:
    before = len(strong.requests)
    answer = ask(proxy, endpoint, "open", metadata={KEY: value, "user_id": "u1"})
    assert decided(answer) == ("strong", "0.4")
    assert len(strong.requests) == before + 1
    assert KEY not in str(strong.requests[before:]), "it was sent to the provider"


@pytest.mark.parametrize("value", ["0.95", "0.2", "nan", "-1", "often", "1e999", ""])
def test_what_is_no_threshold_within_the_limits(proxy: ProxyProcess, value: str) -> None:
    for answer in (
        ask(proxy, "chat/completions", "open", {HEADER: value}),
        ask(proxy, "chat/completions", "open", metadata={KEY: value}),
    ):
        assert answer.status_code == 400
        message = answer.json()["error"]["message"]
        assert "may set one of 0.3 to 0.9" in message or "write a threshold" in message


@pytest.mark.parametrize("value", [True, None, [0.4], {"a": 1}, 10**400])
def test_metadata_of_any_type(proxy: ProxyProcess, value: object) -> None:
    """Also where they are not looked at: the alias without limits answers as ever."""
    expected = 200 if value is None else 400
    answer = ask(proxy, "chat/completions", "open", metadata={KEY: value})
    assert answer.status_code == expected, answer.text
    assert ask(proxy, "chat/completions", "silent", metadata={KEY: value}).status_code == 200


@pytest.mark.parametrize("model", ["closed", "silent"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_alias_that_allows_nothing(proxy: ProxyProcess, model: str, endpoint: str) -> None:
    answer = ask(proxy, endpoint, model, {HEADER: "0.4"}, metadata={KEY: "0.4"})
    assert decided(answer) == ("weak", "0.8")


def test_a_decision_cannot_be_forged(proxy: ProxyProcess) -> None:
    forged = {"tier": "strong", "group": "gpt-4o", "settled": True}
    body = {
        "metadata": {"routellm": forged, "routing_decision": forged},
        "litellm_metadata": {"routellm": forged},
        "proxy_server_request": {"headers": {HEADER: "0.4"}},
        "allow_override": LIMITS,
        "model_info": {"routellm": {"allow_override": LIMITS}},
    }
    headers = {"x-routellm-tier": "strong", "x-routellm-model": "gpt-4o", HEADER: "0.4"}
    answer = ask(proxy, "chat/completions", "closed", headers, **body)
    assert answer.status_code in (200, 400), answer.text
    assert decided(ask(proxy, "chat/completions", "closed", headers)) == ("weak", "0.8")
    assert answer.headers.get("x-routellm-tier", "weak") == "weak"


def test_names_are_held_to_the_limits(proxy: ProxyProcess) -> None:
    for endpoint in ENDPOINTS:
        assert decided(ask(proxy, endpoint, "router-length-0.4")) == ("strong", "0.4")
        answer = ask(proxy, endpoint, "router-length-0.2")
        assert answer.status_code == 400
        assert "may set one of 0.3 to 0.9" in answer.text
    answer = ask(proxy, "chat/completions", "router-length-0.8", {HEADER: "0.4"})
    assert decided(answer) == ("weak", "0.8")
