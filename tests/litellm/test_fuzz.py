"""Whatever a body holds, the alias answers with the status that a plain group gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, post

TEXTS = st.sampled_from([EASY, HARD, "", " ", "\ud7ff\u0000", "<system-reminder>"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    TEXTS,
)
PARTS = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "input_text", "tool_result"]), "text": SCALARS}
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system", "tool", None, 5]),
        "content": st.one_of(SCALARS, st.lists(st.one_of(SCALARS, PARTS), max_size=3)),
    },
)
CONVERSATIONS = st.one_of(SCALARS, st.lists(st.one_of(SCALARS, MESSAGES), max_size=4), MESSAGES)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("messages", "input", "prompt", "contents"), CONVERSATIONS),
        **dict.fromkeys(("temperature", "max_tokens", "reasoning_effort", "user"), SCALARS),
        **dict.fromkeys(("metadata", "litellm_metadata", "tools", "instructions"), CONVERSATIONS),
        "previous_response_id": SCALARS,
        "stream": st.booleans(),
    },
)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES, likely=st.booleans())
def test_statuses(proxy: ProxyProcess, endpoint: str, body: dict[str, Any], likely: bool) -> None:
    if likely:  # else hardly any body would come as far as the routing
        key = {"responses": "input", "completions": "prompt"}.get(endpoint, "messages")
        said = HARD if key == "prompt" else [{"role": "user", "content": HARD}]
        body = {**body, key: said, "max_tokens": 9}
    plain, routed = (
        post(proxy, f"v1/{endpoint}", {**body, "model": model}).status_code
        for model in ("gpt-4o", "gpt-4o-router")
    )
    assert routed == plain
