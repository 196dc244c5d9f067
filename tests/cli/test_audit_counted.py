"""`routellm audit` and `report`: calls that a log has twice, or did not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import routers
from tests.traffic.test_report_logs import PRICES, STRONG, reported, spend_log, written

from .audits import AT, found_in
from .command import called

_PRICES = ("--strong-price", "2.5,10", "--weak-price", "0.15,0.6", *AT)


def spend_row(k: int, **more: Any) -> dict[str, Any]:
    """A row of LiteLLM's spend logs, with its prompt: 40 tokens read and 100 written."""
    return {
        **{"request_id": f"chatcmpl-{k}", "call_type": "acompletion", "model_group": "gpt-4o"},
        **{"startTime": f"2026-11-02T10:00:{k % 60:02d}Z", "spend": 0.0011, "prompt_tokens": 40},
        **{"completion_tokens": 100, "metadata": {}},
        "messages": [{"role": "user", "content": f"Question {k}: " + "why is that so? " * 10}],
        **more,
    }


def audited(tmp_path: Path, *logs: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    names = []
    tmp_path.mkdir(exist_ok=True)
    for at, rows in enumerate(logs):
        names.append(written(tmp_path / f"{at}.jsonl", rows))
    done = called("audit", *names, *_PRICES, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    return found_in(tmp_path / "out"), done.stdout + done.stderr


@pytest.mark.parametrize("files", [1, 2])
def test_a_call_that_is_exported_twice_counts_once(tmp_path, plugin, files):
    plugin(routers)
    rows = [spend_row(k) for k in range(60)]
    logs = [rows + rows[:20]] if files == 1 else [rows, rows[:20]]
    found, said = audited(tmp_path, *logs)
    assert found["calls"] == 60
    assert "skipped 20: a call that an earlier row has, by its id" in " ".join(said.split())


def langfuse_row(k: int, **more: Any) -> dict[str, Any]:
    """A generation of Langfuse."""
    return {
        **{"id": f"observation-{k}", "traceId": f"trace-{k}", "type": "GENERATION"},
        **{"startTime": f"2026-11-02T10:00:{k:02d}.000Z", "model": "gpt-4o"},
        "input": [{"role": "user", "content": f"Question {k}"}],
        "usageDetails": {"input": 1000, "output": 50},
        **more,
    }


def phoenix_row(k: int, **more: Any) -> dict[str, Any]:
    """A span of a call, as Phoenix writes its data frame."""
    asked = [{"message.role": "user", "message.content": f"Question {k}"}]
    return {
        **{"name": "ChatCompletion", "span_kind": "LLM", "status_code": "OK"},
        **{"context.trace_id": f"trace-{k}", "context.span_id": f"span-{k}"},
        "start_time": f"2026-11-02T10:00:{k:02d}Z",
        "attributes.llm.model_name": "gpt-4o",
        "attributes.llm.input_messages": json.dumps(asked),
        "attributes.llm.token_count.prompt": 1000,
        "attributes.llm.token_count.completion": 50,
        **more,
    }


def otlp_row(k: int) -> dict[str, Any]:
    """A line of OpenTelemetry's collector with one span."""
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"Question {k}"}]}])
    values = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.request.model": {"stringValue": "gpt-4o"},
        "gen_ai.usage.input_tokens": {"intValue": "1000"},
        "gen_ai.usage.output_tokens": {"intValue": "50"},
        "gen_ai.input.messages": {"stringValue": asked},
    }
    span = {
        **{"name": "chat gpt-4o", "traceId": f"{k:032x}", "spanId": f"{k + 1:016x}"},
        "startTimeUnixNano": str((1_793_613_600 + k) * 10**9),
        "endTimeUnixNano": str((1_793_613_601 + k) * 10**9),
        "attributes": [{"key": key, "value": value} for key, value in values.items()],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


FORMS = {"Langfuse": langfuse_row, "Phoenix": phoenix_row, "OpenTelemetry": otlp_row}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_so_does_one_of_other_logs_whose_calls_have_ids(tmp_path, plugin, form):
    plugin(routers)
    rows = [form(k) for k in range(60)]
    found, said = audited(tmp_path, rows[:40], rows[20:])
    assert found["calls"] == 60
    assert found["money"]["always_strong"] == pytest.approx(60 * 0.003)
    assert "skipped 20: a call that an earlier row has, by its id" in " ".join(said.split())


@pytest.mark.parametrize("form", [langfuse_row, phoenix_row])
def test_a_report_counts_such_a_call_once_too(tmp_path, form):
    name = "attributes.metadata" if form is phoenix_row else "metadata"
    decided = {"tier": "strong", "score": 0.7, "threshold": 0.5, "router": "mf", "cause": "score"}
    rows = [form(k, **{name: json.dumps({"routellm": decided})}) for k in range(40)]
    route = reported(written(tmp_path / "log.jsonl", rows + rows[:15]), *PRICES)
    assert route["requests"] == 40


def test_a_call_of_which_no_tokens_were_counted_has_not_cost_nothing(tmp_path, plugin):
    """Such as a stream that told no usage: LiteLLM writes 0."""
    plugin(routers)
    rows = [
        spend_row(k, prompt_tokens=0, completion_tokens=0, spend=0) if k % 2 else spend_row(k)
        for k in range(60)
    ]
    found, said = audited(tmp_path, rows)
    whole, _ = audited(tmp_path / "whole", [spend_row(k) for k in range(60)])
    assert "30 calls have no token counts" in " ".join(said.split())
    cost, true = (each["money"]["always_strong"] for each in (found, whole))
    assert cost == pytest.approx(true, rel=0.1)


def test_a_report_counts_a_call_once(tmp_path):
    rows = [spend_log(k) for k in range(40)]
    route = reported(written(tmp_path / "spend.jsonl", rows + rows[:15]), *PRICES)
    assert route["requests"] == 40
    assert route["costs"]["always_strong"] == pytest.approx(40 * STRONG)


def test_a_report_leaves_calls_out_of_which_no_tokens_were_counted(tmp_path):
    rows = [
        json.loads(json.dumps(spend_log(k, **(dict.fromkeys(_TOKENS, 0) if k >= 30 else {}))))
        for k in range(40)
    ]
    route = reported(written(tmp_path / "spend.jsonl", rows), *PRICES)
    assert route["costs"]["requests"] == 30
    assert route["costs"]["always_strong"] == pytest.approx(30 * STRONG)


_TOKENS = ("prompt_tokens", "completion_tokens", "spend")
