"""What LiteLLM does when an upstream fails, it does for routed requests as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import APIError, OpenAI

from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD


@pytest.fixture
def killed(fragile: Upstream) -> Iterator[Upstream]:
    fragile.stop()
    yield fragile
    fragile.start()


def ask(client: OpenAI, model: str, prompt: str, **options: object) -> str:
    messages = [{"role": "user", "content": prompt}]
    answer = client.chat.completions.create(model=model, messages=messages, **options)
    return (answer.choices[0].message.content or "").split(" ")[0]


def test_a_live_strong_upstream_answers(client: OpenAI) -> None:
    assert ask(client, "fragile-router", HARD) == "fragile"


def test_requests_are_answered_with_the_strong_upstream_killed(
    client: OpenAI, killed: Upstream
) -> None:
    for number in range(3):
        assert ask(client, "fragile-router", f"{HARD} {number}") == "gpt-4o-mini"
        assert ask(client, "fragile-router", EASY) == "gpt-4o-mini"


def test_streams_are_answered_with_the_strong_upstream_killed(
    client: OpenAI, killed: Upstream
) -> None:
    stream = client.chat.completions.create(
        model="fragile-router", messages=[{"role": "user", "content": HARD}], stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text.startswith("gpt-4o-mini ")


def test_headers_tell_what_was_decided_also_after_a_fallback(
    client: OpenAI, killed: Upstream
) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="fragile-router", messages=[{"role": "user", "content": HARD}]
    )
    assert raw.headers["x-routellm-tier"] == "strong"
    assert raw.headers["x-routellm-model"] == "fragile"
    assert raw.headers["x-litellm-model-group"] == "gpt-4o-mini"


def test_a_sibling_deployment_answers_before_the_weak_model(
    client: OpenAI, broken: Upstream
) -> None:
    for number in range(12):
        assert ask(client, "pair-router", f"{HARD} {number}") == "gpt-4o"
    assert broken.requests


def test_a_client_may_name_an_alias_as_its_fallback(client: OpenAI, killed: Upstream) -> None:
    body = {"fallbacks": ["gpt-4o-router"]}
    assert ask(client, "fragile", f"{HARD} then", extra_body=body) in ("gpt-4o", "gpt-4o-mini")


def test_failures_are_logged_with_their_decision(
    client: OpenAI, killed: Upstream, logged: Callable[[str], dict[str, Any]]
) -> None:
    words = f"{HARD} not answered"
    for _ in range(2):  # the second finds no deployment, since the only one cools down
        with pytest.raises(APIError):
            ask(client, "fragile-router", words, extra_body={"disable_fallbacks": True})
    payload = logged(words)
    assert payload["status"] == "failure"
    assert payload["model_group"] == "fragile-router"
    assert payload["metadata"]["routing_decision"]["routed_model"] == "fragile"
    spend = payload["metadata"]["spend_logs_metadata"]["routellm"]
    assert (spend["alias"], spend["model"], spend["tier"]) == (
        "fragile-router",
        "fragile",
        "strong",
    )
