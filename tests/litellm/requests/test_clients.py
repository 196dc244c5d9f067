"""What agent harnesses send, through a real proxy, by the endpoint that each of them uses; and
Anthropic's own client.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.client_shapes import EASY, HARD, REMINDER, RIGHT
from tests.litellm.calls import post
from tests.litellm.configs import KEY

ALIAS = "router-length-0.95"
"""The length router gives EASY 0.9 and HARD 1."""

ASKED = pytest.mark.parametrize(
    ("ask", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")], ids=["easy", "hard"]
)


def path_of(client: str) -> tuple[str, str]:
    """Return the endpoint that a client uses, and the key of its body for the conversation."""
    if client.startswith("Claude Code"):
        return "v1/messages", "messages"
    if client.startswith("Codex"):
        return "v1/responses", "input"
    return "v1/chat/completions", "messages"


@ASKED
@pytest.mark.parametrize("client", RIGHT)
def test_the_ask_decides(proxy: ProxyProcess, client: str, ask: str, model: str) -> None:
    path, key = path_of(client)
    body: dict[str, Any] = {key: RIGHT[client]([ask]), "stream": True}
    if path == "v1/messages":
        body["max_tokens"] = 99
    plain, routed = (post(proxy, path, {**body, "model": name}) for name in (model, ALIAS))
    assert routed.status_code == plain.status_code, routed.text
    assert routed.headers["x-routellm-model"] == model


@ASKED
def test_gemini_cli(proxy: ProxyProcess, ask: str, model: str) -> None:
    contents = [{"role": "user", "parts": [{"text": REMINDER}, {"text": ask}]}]
    path = f"v1beta/models/{ALIAS}:streamGenerateContent?alt=sse"
    answer = post(proxy, path, {"contents": contents})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-routellm-model"] == model


@ASKED
def test_anthropics_client(proxy: ProxyProcess, ask: str, model: str) -> None:
    anthropic = pytest.importorskip("anthropic")
    asked: Any = {
        "model": ALIAS,
        "max_tokens": 99,
        "messages": [{"role": "user", "content": ask}],
    }
    with anthropic.Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(**asked)
        assert raw.headers["x-routellm-model"] == model
        assert raw.parse().content[0].text.startswith(model)
        with client.messages.stream(**asked) as stream:
            assert stream.get_final_text().startswith(model)
        tool = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
        called = client.messages.create(**asked, tools=[tool])
        assert [part.name for part in called.content if part.type == "tool_use"] == ["look"]


LOOK: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS: dict[str, dict[str, Any]] = {
    "v1/chat/completions": {"type": "function", "function": {"name": "look", "parameters": LOOK}},
    "v1/responses": {"type": "function", "name": "look", "parameters": LOOK},
    "v1/messages": {"name": "look", "input_schema": LOOK},
}


def _trimmed(path: str, call: str) -> list[dict[str, Any]]:
    """Return an answer that calls a tool, and what the tool returned."""
    if path == "v1/responses":
        said = {"type": "function_call", "call_id": call, "name": "look", "arguments": "{}"}
        return [said, {"type": "function_call_output", "call_id": call, "output": "seen"}]
    if path == "v1/messages":
        used = {"type": "tool_use", "id": call, "name": "look", "input": {}}
        result = {"type": "tool_result", "tool_use_id": call, "content": "seen"}
        return [{"role": "assistant", "content": [used]}, {"role": "user", "content": [result]}]
    function = {"name": "look", "arguments": "{}"}
    calls = [{"id": call, "type": "function", "function": function}]
    said = {"role": "assistant", "content": None, "tool_calls": calls}
    return [said, {"role": "tool", "tool_call_id": call, "content": "seen"}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", TOOLS)
def test_a_loop_without_the_humans_words_stays_where_it_was(
    proxy: ProxyProcess, path: str, stream: bool
) -> None:
    key = "input" if path == "v1/responses" else "messages"
    options = {"model": ALIAS, "tools": [TOOLS[path]], "stream": stream}
    if path == "v1/messages":
        options["max_tokens"] = 99
    asked = post(proxy, path, {key: [{"role": "user", "content": EASY}], **options})
    call = re.search(r"call_[0-9a-f]{24}", asked.text)
    assert call is not None, asked.text
    # Calls without text go to the strong group of this alias, if nothing is known of them.
    trimmed = {key: _trimmed(path, call[0]), **options}
    for _ in range(40):  # LiteLLM logs after the answer
        went = post(proxy, path, trimmed)
        assert went.status_code == 200, went.text
        if went.headers["x-routellm-cause"] == "conversation":
            break
        time.sleep(0.1)
    told = went.headers["x-routellm-model"], went.headers["x-routellm-cause"]
    assert told == ("gpt-4o-mini", "conversation")
