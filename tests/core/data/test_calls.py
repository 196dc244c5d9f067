"""Calls as teams log them, read into what the human wrote."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from routellm_core import DataError
from routellm_core.data.logs.call_forms import LoggedCall
from routellm_core.data.logs.calls import Skipped, read_calls
from routellm_core.prompt.reading import system_text
from tests.core.data.log_forms import ASK, CHAT, FORMS, LANGFUSE, SPAN, parts, spend_log


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# As LiteLLM's callback "otel" writes them: parts of OpenAI's and Anthropic's forms among its own.
LITELLM_SPANS = [
    ("list content", [{"role": "user", "parts": [{"type": "text", "text": ASK}]}], (ASK,)),
    ("responses", [{"role": "user", "parts": [{"type": "input_text", "text": ASK}]}], (ASK,)),
    (
        "Anthropic's tool loop",
        [
            parts("user", {"type": "text", "content": ASK}),
            parts("assistant", {"type": "tool_use", "id": "1", "name": "search", "input": {}}),
            parts("user", {"type": "tool_result", "tool_use_id": "1", "content": "SECRET"}),
        ],
        (ASK,),
    ),
]


@pytest.mark.parametrize(("messages", "turns"), [case[1:] for case in LITELLM_SPANS])
def test_spans_of_litellm(tmp_path, messages, turns):
    span = {
        "attributes": {
            "gen_ai.operation.name": "acompletion",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.input.messages": json.dumps(messages),
            "litellm.model_group": "smart",
        },
        "status": {"code": "STATUS_CODE_OK"},
    }
    (call,) = read_calls(lines(tmp_path / "log.jsonl", span), Skipped())
    assert call.turns == turns
    assert call.facts.route == "smart"


SYSTEM_BESIDE = {
    "Anthropic's request": {"system": "Be short.", "messages": CHAT[-1:]},
    "Anthropic's request, in blocks": {
        "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
        "messages": CHAT[-1:],
    },
    "Responses' request": {"instructions": "Be short.", "input": ASK},
    "another column of that name": {
        "system": "billing",
        "messages": [{"role": "developer", "content": "Be short."}, CHAT[-1]],
    },
    "Anthropic": spend_log(
        proxy_server_request=json.dumps(
            {"system": [{"type": "text", "text": "Be short."}], "messages": CHAT[-1:]}
        )
    ),
    "Responses": spend_log(
        proxy_server_request=json.dumps({"instructions": "Be short.", "input": ASK})
    ),
    "OpenTelemetry": {
        "attributes": {
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be short."}]),
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": ASK}]}]
            ),
        }
    },
}


@pytest.mark.parametrize("form", SYSTEM_BESIDE)
def test_a_system_prompt_beside_the_messages_is_one_of_them(tmp_path, form):
    path = lines(tmp_path / "log.jsonl", SYSTEM_BESIDE[form])
    (call,) = read_calls(path, Skipped())
    assert system_text(call.messages) == "Be short."
    assert call.turns == (ASK,)
    assert len(call.messages) == 2


ANTHROPIC = {
    "input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 300,
    "output_tokens": 200,
}
RESPONSES = {
    "input_tokens": 2400,
    "input_tokens_details": {"cached_tokens": 2000},
    "output_tokens": 200,
}
OLDER = {
    "prompt_tokens": 2400,
    "prompt_tokens_details": {"cached_tokens": 2000},
    "completion_tokens": 200,
}
USAGE = {
    "Anthropic": {"messages": CHAT[1:], "usage": ANTHROPIC},
    "Anthropic's whole answer": {"messages": CHAT[1:], "response": {"usage": ANTHROPIC}},
    "Anthropic by LiteLLM": {"messages": CHAT, "usage": {**ANTHROPIC, **OLDER}},
    "Responses": {"input": CHAT, "usage": RESPONSES},
    "chat": {"messages": CHAT, "usage": OLDER},
    "chat with the id of the request": {"request_id": "r1", "messages": CHAT, "usage": OLDER},
    "prompt": {"prompt": ASK, "usage": OLDER},
    "columns": {"prompt": ASK, **RESPONSES},
}


@pytest.mark.parametrize("form", USAGE)
def test_tokens_are_read_by_the_names_of_each_api(tmp_path, form):
    (call,) = read_calls(lines(tmp_path / "log.jsonl", USAGE[form]), Skipped())
    assert (call.input_tokens, call.output_tokens, call.facts.cached) == (2400, 200, 2000)


def test_rows_that_name_the_span_they_were_written_in_are_calls_of_their_own(tmp_path):
    rows = [
        {"messages": CHAT, "span_id": "a", "parent_id": "b"},
        {"messages": CHAT, "span_id": "b"},
        {"messages": CHAT, "span_id": "c", "parent_id": "b"},
    ]
    assert len([*read_calls(lines(tmp_path / "log.jsonl", *rows), Skipped())]) == 3


def test_of_spans_within_each_other_one_is_a_call(tmp_path):
    inner = {**SPAN, "spanId": "b", "parentSpanId": "a"}
    skipped = Skipped()
    path = lines(tmp_path / "log.jsonl", inner, {**SPAN, "spanId": "a"}, {**SPAN, "spanId": "c"})
    assert len([*read_calls(path, skipped)]) == 2
    assert skipped.lines()[0].startswith("skipped 1: a span around or within another one")


LEFT_OUT = {
    "payload of a failed call": ({"messages": CHAT, "status": "failure"}, "a call that failed"),
    "payload of an embedding": (
        {"messages": CHAT, "call_type": "aembedding", "status": "success"},
        "no chat but another kind of call",
    ),
    "failed span, OTLP": ({**SPAN, "status": {"code": "STATUS_CODE_ERROR"}}, "a call that failed"),
    "failed span, OTLP's number": ({**SPAN, "status": {"code": 2}}, "a call that failed"),
    "failed span, Python": ({**SPAN, "status": {"status_code": "ERROR"}}, "a call that failed"),
    "failed generation": ({**LANGFUSE, "level": "ERROR"}, "a call that failed"),
    "span of an agent": (
        {"attributes": {**SPAN["attributes"], "gen_ai.operation.name": "invoke_agent"}},
        "a span of an agent or a tool",
    ),
    "span of an embedding": (
        {"attributes": {**SPAN["attributes"], "gen_ai.operation.name": "embeddings"}},
        "no chat but another kind of call",
    ),
}


@pytest.mark.parametrize(("row", "why"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_no_model_answered_is_left_out(tmp_path, row, why):
    skipped = Skipped()
    (call,) = read_calls(lines(tmp_path / "log.jsonl", row, {"prompt": ASK}), skipped)
    assert call.turns == (ASK,)
    assert skipped.lines()[0].startswith(f"skipped 1: {why}")


def test_another_gateway_s_row_is_not_told_how_litellm_stores_prompts(tmp_path):
    skipped = Skipped()
    other = {"request_id": "r1", "request_body": {"messages": CHAT}}
    unstored = spend_log(proxy_server_request="{}")
    path = lines(tmp_path / "log.jsonl", other, unstored, {"prompt": ASK})
    assert len([*read_calls(path, skipped)]) == 1
    assert skipped.lines()[0].startswith("skipped 1: no prompt: a row has")
    assert "store_prompts_in_spend_logs: true" in skipped.lines()[1]


def test_the_cost_of_a_generation_of_langfuse_is_read(tmp_path):
    row = {**LANGFUSE, "costDetails": json.dumps({"input": 0.1, "output": 0.2, "total": 0.3})}
    (call,) = read_calls(lines(tmp_path / "log.jsonl", row), Skipped())
    assert call.facts.spend == 0.3


def test_a_session_of_langfuse_names_the_conversation(tmp_path):
    row = {**LANGFUSE, "session_id": "s1", "start_time": "2026-11-01 10:00:00.123000"}
    (call,) = read_calls(lines(tmp_path / "log.jsonl", row), Skipped())
    assert call.facts.conversation == "s1"


def test_indented_json_is_an_error_that_says_how_to_make_lines(tmp_path):
    path = tmp_path / "log.json"
    path.write_text(json.dumps([{"prompt": ASK}], indent=2))
    with pytest.raises(DataError, match=r"not JSON .*jq -c"):
        list(read_calls(path, Skipped(), lenient=True))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(tmp_path, form):
    row, expected = FORMS[form]
    assert list(read_calls(lines(tmp_path / "log.jsonl", row), Skipped())) == [expected]


def test_forms_may_be_mixed_and_packed(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    rows = "".join(
        # The forms are of one call, and each of these is another one.
        re.sub(r'("request_id|"id|"spanId|"span_id)": "', rf'\1": "{at}-', json.dumps(row)) + "\n"
        for at, (row, _) in enumerate(FORMS.values())
    )
    path.write_bytes(gzip.compress(rows.encode()))
    skipped = Skipped()
    found = list(read_calls(path, skipped))
    assert found == [expected for _, expected in FORMS.values()]
    assert skipped.total == 1  # the span of a web request


def test_an_export_as_parquet_or_csv(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "log.parquet"
    parquet.write_table(arrow.Table.from_pylist([spend_log(), LANGFUSE, {"prompt": ASK}]), path)
    table = arrow.Table.from_pylist([spend_log()])
    assert list(read_calls(path, Skipped()))[:1] == [FORMS["spend log"][1]]
    csv = pytest.importorskip("pyarrow.csv")
    csv.write_csv(table, tmp_path / "log.csv")
    (call,) = read_calls(tmp_path / "log.csv", Skipped())
    assert call == FORMS["spend log"][1]


@pytest.mark.parametrize("group", [1_000, 60_000], ids=["many row groups", "one row group"])
def test_parquet_is_never_in_memory_as_a_whole(tmp_path, group):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = [f"{at} {'x' * 500}" for at in range(60_000)]
    parquet.write_table(
        arrow.table({"prompt": texts}),
        tmp_path / "p.parquet",
        row_group_size=group,
        compression="none",
        use_dictionary=False,
    )
    before, most = arrow.total_allocated_bytes(), 0
    for at, _ in enumerate(read_calls(tmp_path / "p.parquet", Skipped())):
        if at % 1_000 == 0:
            most = max(most, arrow.total_allocated_bytes() - before)
    assert most < 10_000_000  # of 30


def test_what_cannot_be_read_is_said_by_row_and_never_shown(tmp_path):
    rows = [
        {"prompt": ASK},
        spend_log(proxy_server_request="{}"),
        {"type": "SPAN", "input": "SECRET words"},
        {"messages": [{"role": "system", "content": "SECRET"}]},
        {"messages": "SECRET"},
        {"prompt": "  "},
        {"text": "SECRET"},
        {"attributes": {"http.url": "SECRET"}},
        *[spend_log(proxy_server_request="{}")] * 9,
    ]
    path = lines(tmp_path / "log.jsonl", *rows)
    skipped = Skipped()
    (call,) = read_calls(path, skipped)
    assert call.turns == (ASK,)
    said = "\n".join(skipped.lines())
    assert skipped.total == 15 + 1
    assert "SECRET" not in said
    assert f"leaves it out of /spend/logs/v2 ({path}, line 2, 9, 10, 11, 12 and 5 more)" in said
    assert "an observation of Langfuse that is not a generation" in said
    assert "a span without gen_ai.input.messages" in said


def test_a_file_without_any_prompt_says_why(tmp_path):
    path = lines(tmp_path / "log.jsonl", spend_log(proxy_server_request="{}"))
    with pytest.raises(DataError, match="holds no prompts: skipped 1: no prompt in the row"):
        list(read_calls(path, Skipped()))


@pytest.mark.parametrize(
    "row",
    [
        {"messages": None, "prompt": 5},
        {"messages": [None, 3, {"role": "user", "content": 7}]},
        {"attributes": 3},
        {"attributes": [3, {"key": "gen_ai.input.messages", "value": None}]},
        {"attributes": {"gen_ai.input.messages": [3, {"parts": 4}, {"parts": [5]}]}},
        {"resourceSpans": [3, {"scopeSpans": [None, {"spans": [7]}]}]},
        {"type": "GENERATION", "input": {"messages": {"a": 1}}},
        {"type": "GENERATION", "input": [], "usage": 3},
        spend_log(prompt_tokens="x", proxy_server_request="{broken"),
        {"events": [1], "attributes": {}},
        {"attributes": {}, "events": 5},
        {"resourceSpans": 5},
    ],
)
def test_nonsense_is_skipped(tmp_path, row):
    path = lines(tmp_path / "log.jsonl", row, {"prompt": ASK})
    assert list(read_calls(path, Skipped())) == [LoggedCall((ASK,))]
