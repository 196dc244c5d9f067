"""Whatever a log holds, an audit reads it or skips it, and raises nothing but its own error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routellm_core import DataError, RoutingPolicy
from routellm_core.data.logs.calls import Skipped
from routellm_core.traffic.audit.columns import read_columns
from routellm_core.traffic.audit.logs import read_logs
from routellm_core.traffic.audit.result import audit

WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "tool",
        "system",
        "text",
        "tool_result",
        "x",
        "",
        "GENERATION",
        "LLM",
        "{",
        "1e9",
    ]
)
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 10**13), st.floats(), WORDS),
    *(st.text(max_size=12), st.just("2026-11-02T10:00:00Z"), st.just("9" * 400)),
)
KEYS = st.sampled_from(
    [
        *("prompt", "messages", "role", "content", "type", "text", "input", "usage", "metadata"),
        *("proxy_server_request", "request_id", "attributes", "resourceSpans", "scopeSpans"),
        *("spans", "key", "value", "startTime", "api_key", "team_id", "spend", "cache_hit"),
        *("gen_ai.input.messages", "parts", "prompt_tokens", "completion_tokens", "call_type"),
        *("usage_object", "prompt_tokens_details", "cached_tokens", "events", "stringValue"),
        *("span_kind", "parent_id", "context.span_id", "attributes.llm.input_messages", "llm"),
        *("openinference.span.kind", "llm.input_messages.0.message.role", "message.content"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=6),
        st.dictionaries(KEYS, inner, max_size=4).map(json.dumps),
    ),
    max_leaves=25,
)
ROWS = st.dictionaries(KEYS, VALUES, max_size=8)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": WORDS, "content": VALUES}) | VALUES, min_size=1, max_size=5
)
CALLS = st.builds(lambda row, messages: {**row, "messages": messages}, ROWS, MESSAGES)


@pytest.mark.filterwarnings("error")
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(ROWS | CALLS | VALUES, max_size=6), noise=st.binary(max_size=40))
def test_any_log(tmp_path: Path, rows: list[Any], noise: bytes) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join([*(json.dumps(row).encode() for row in rows), noise]))
    policy = RoutingPolicy("random", threshold=0.5)
    skipped, ended = Skipped(), list[str]()
    try:
        calls = read_columns(policy, read_logs([log], skipped, ended))
        found = audit(
            *(calls,),
            **{"router": "random", "threshold": 0.5, "prices": None},
            **{"output_tokens": 300.0, "idle_s": 300.0},
        )
    except DataError:
        return
    assert found.calls == len(calls)
    assert 0 <= found.share.value <= 1
    assert np.isfinite(calls.given).all()
