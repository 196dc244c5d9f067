"""Whatever a body holds, the alias answers with the status that a plain group gives.

``make fuzz`` runs it with many more bodies, which ``ROUTELLM_FUZZ`` gives the number of, in equal
parts for each endpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS
from tests.litellm.configs import HANDLER, KEY, alias, group

TEXTS = st.sampled_from([EASY, HARD, "", " ", "\ud7ff\u0000", "<system-reminder>"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-1e6, 1e6),
    TEXTS,
)
GIVEN = os.environ.get("ROUTELLM_FUZZ")
BODIES_IN_ALL = int(GIVEN or 125)
EVERY_ENDPOINT = (*ENDPOINTS, "gemini")
KINDS = st.sampled_from(
    [
        *("text", "input_text", "output_text", "tool_result", "tool_use", "thinking"),
        *("image_url", "input_image", "image", "file", "input_file", "document", "input_audio"),
        *("function_call", "function_call_output", "reasoning", "none such", "", None, 5),
    ]
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def anything(draw: Any) -> Any:
    return draw(NESTED)


@st.composite
def conversations(draw: Any) -> Any:
    return draw(st.one_of(SCALARS, st.lists(st.one_of(SCALARS, MESSAGES), max_size=4), MESSAGES))


# By name, since hypothesis may print strategies, and these are in many places.
ANYTHING, CONVERSATIONS = anything(), conversations()
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "type": KINDS,
        **dict.fromkeys(("text", "content", "output", "thinking"), ANYTHING),
        **dict.fromkeys(("image_url", "source", "file", "input_audio", "input"), ANYTHING),
        **dict.fromkeys(("inlineData", "functionCall", "functionResponse", "thought"), ANYTHING),
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(
            ["user", "assistant", "system", "developer", "tool", "model", "none such", None, 5]
        ),
        "type": KINDS,
        **dict.fromkeys(
            ("content", "parts"),
            st.one_of(SCALARS, st.lists(st.one_of(SCALARS, PARTS), max_size=3), ANYTHING),
        ),
        **dict.fromkeys(("tool_calls", "tool_call_id", "name", "output", "arguments"), ANYTHING),
    },
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("messages", "input", "prompt", "contents"), CONVERSATIONS),
        **dict.fromkeys(("temperature", "max_tokens", "reasoning_effort", "user"), SCALARS),
        **dict.fromkeys(("top_p", "n", "stop", "seed", "thinking", "response_format"), ANYTHING),
        **dict.fromkeys(("metadata", "litellm_metadata", "tools", "instructions"), CONVERSATIONS),
        **dict.fromkeys(("system", "systemInstruction", "functions", "tool_choice"), ANYTHING),
        **dict.fromkeys(("litellm_session_id", "safety_identifier", "store"), SCALARS),
        "previous_response_id": SCALARS,
        "stream": st.booleans(),
    },
)


@pytest.fixture(scope="module")
def client(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[httpx.Client]:
    """Of a proxy without retries and cooldowns, by which one body could change the next answer."""
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("gpt-4o-router", router="length", threshold=0.6),
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    key = {"Authorization": f"Bearer {KEY}"}
    # One client for all, as making one takes as long as a request. No connection is kept: uvicorn
    # closes one after an error that LiteLLM does not catch.
    once = httpx.Limits(max_keepalive_connections=0)
    with (
        proxy_with(config) as proxy,
        httpx.Client(base_url=proxy.url, headers=key, timeout=120, limits=once) as of_proxy,
    ):
        yield of_proxy


@pytest.mark.timeout(0 if GIVEN else 180)
@pytest.mark.parametrize("endpoint", EVERY_ENDPOINT)
@settings(
    max_examples=max(1, BODIES_IN_ALL // len(EVERY_ENDPOINT)),
    deadline=None,
    derandomize=GIVEN is None,
    # Making an example smaller takes many more requests than finding it.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[
        *(HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
    ],
)
@given(body=BODIES, likely=st.booleans())
def test_statuses(client: httpx.Client, endpoint: str, body: dict[str, Any], likely: bool) -> None:
    if likely:  # else hardly any body would come as far as the routing
        key = {"responses": "input", "completions": "prompt", "gemini": "contents"}.get(
            endpoint, "messages"
        )
        said: Any = [{"role": "user", "content": HARD}]
        if endpoint == "gemini":
            said = [{"role": "user", "parts": [{"text": HARD}]}]
        if endpoint == "completions":
            said = HARD
        body = {**body, key: said, "max_tokens": 9}
    plain, routed = answers(client, endpoint, body)
    assert routed.status_code == plain.status_code, (plain.text, routed.text)


def answers(client: httpx.Client, endpoint: str, body: dict[str, Any]) -> list[httpx.Response]:
    """Return the plain group's answer to a body, and the alias's."""

    def send(model: str) -> httpx.Response:
        if endpoint == "gemini":
            return client.post(f"/v1beta/models/{model}:generateContent", json=body)
        return client.post(f"/v1/{endpoint}", json={**body, "model": model})

    models = ("gpt-4o", "gpt-4o-router")
    try:
        return [send(model) for model in models]
    except httpx.TransportError:
        # A busy machine can pause the proxy for minutes. A body that stops it does so again.
        return [send(model) for model in models]
