"""Endpoints that single clients use, on the alias as on a plain group."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, post, send

SPLIT = pytest.mark.parametrize(
    ("text", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")], ids=["easy", "hard"]
)


def generate(proxy: ProxyProcess, model: str, contents: Any, stream: bool) -> httpx.Response:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return post(proxy, f"v1beta/models/{model}:{method}", {"contents": contents})


@SPLIT
@pytest.mark.parametrize("stream", [False, True])
def test_gemini(proxy: ProxyProcess, text: str, model: str, stream: bool) -> None:
    call = {"functionCall": {"name": "read", "args": {"path": "a.py"}}}
    result = {"functionResponse": {"name": "read", "response": {"output": "rain " * 50}}}
    asked = [{"role": "user", "parts": [{"text": text}]}]
    loop = [
        *asked,
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    for contents in (asked, loop):
        plain = generate(proxy, model, contents, stream)
        routed = generate(proxy, "gpt-4o-router", contents, stream)
        assert routed.status_code == plain.status_code == 200, routed.text
        assert routed.headers["x-routellm-model"] == model
        assert routed.headers["x-routellm-cause"] == "score"
        assert '"parts"' in routed.text
        assert '"parts"' in plain.text


@SPLIT
def test_compact(proxy: ProxyProcess, text: str, model: str) -> None:
    body = {"input": [{"role": "user", "content": text}]}
    plain, routed = (
        post(proxy, "v1/responses/compact", {**body, "model": name})
        for name in (model, "gpt-4o-router")
    )
    assert routed.status_code == plain.status_code, routed.text
    assert routed.headers["x-routellm-model"] == model


@SPLIT
def test_counting_tokens(proxy: ProxyProcess, text: str, model: str) -> None:
    body = {"messages": [{"role": "user", "content": text}]}
    plain, routed = (
        post(proxy, "v1/messages/count_tokens", {**body, "model": name})
        for name in (model, "gpt-4o-router")
    )
    assert (routed.status_code, routed.json()) == (plain.status_code, plain.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True])
def test_answers_name_the_model_that_was_asked_for(
    proxy: ProxyProcess, endpoint: str, stream: bool
) -> None:
    # In a streamed response, some releases leave the deployment's own name in places.
    inner = {"gpt-4o"} if (endpoint, stream) == ("responses", True) else set()
    # One deployment: LiteLLM does not try again where a streamed text completion fails.
    for model in ("house-model", "gpt-4o-router"):
        answer = send(proxy, endpoint, model, HARD, stream=stream)
        named = set(re.findall(r'"model": ?"([^"]*)"', answer.text))
        assert named - inner == {model}, (answer.status_code, answer.text)
