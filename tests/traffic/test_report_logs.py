"""`routellm report` of logs that hold decisions: the same page as of a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import called

PRICES = (
    *("--strong-price", "10,50", "--strong-cache-price", "1"),
    *("--weak-price", "1,5", "--weak-cache-price", "0.1"),
)
STRONG = (600 * 10 + 400 * 1 + 100 * 50) / 1e6
"""Dollars of 1,000 tokens read, 400 of them cached, and 100 written."""


def spend_log(k: int, **more: Any) -> dict[str, Any]:
    """A row as LiteLLM writes it; four of ten go to the strong group."""
    tier = "strong" if k % 10 < 4 else "weak"
    group = {"strong": "gpt-4o", "weak": "gpt-4o-mini"}[tier]
    decision = {
        **{"alias": "chat", "model": group, "tier": tier, "router": "mf", "cause": "score"},
        **{"score": 0.9 if tier == "strong" else 0.1, "threshold": 0.5},
    }
    usage = {"prompt_tokens_details": {"cached_tokens": 400}}
    return {
        "request_id": f"chatcmpl-{k}",
        "startTime": f"2026-11-{1 + k // 10:02d}T00:00:{k % 10:02d}.000Z",
        **{"model_group": group, "model": group, "prompt_tokens": 1000, "completion_tokens": 100},
        "spend": STRONG if tier == "strong" else STRONG / 10,
        "metadata": json.dumps(
            {"spend_logs_metadata": {"routellm": decision}, "usage_object": usage}
        ),
        **more,
    }


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def reported(*arguments: str) -> dict[str, Any]:
    done = called("report", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (route,) = json.loads(done.stdout)["routes"]
    return dict(route)


def test_spend_logs_of_litellm(tmp_path: Path):
    log = written(tmp_path / "spend.jsonl", [spend_log(k) for k in range(40)])
    route = reported(log, *PRICES)
    assert (route["source"], route["route"], route["requests"]) == ("logs", "chat", 40)
    assert route["models"] == {"strong": "gpt-4o", "weak": "gpt-4o-mini"}
    assert route["share"]["value"] == pytest.approx(0.4)
    assert route["costs"]["always_strong"] == pytest.approx(40 * STRONG)
    assert route["costs"]["served"] == pytest.approx(16 * STRONG + 24 * STRONG / 10)
    assert route["costs"]["saving"]["value"] == pytest.approx(0.54)
    assert route["costs"]["saving"]["low"] < 0.54 < route["costs"]["saving"]["high"]
    assert route["costs"]["cached"] == pytest.approx(0.4)


def test_several_files_and_a_later_beginning(tmp_path: Path):
    first = written(tmp_path / "one.jsonl", [spend_log(k) for k in range(20)])
    second = written(tmp_path / "two.jsonl", [spend_log(k) for k in range(20, 40)])
    assert reported(first, second, *PRICES)["requests"] == 40
    assert reported(first, second, "--since", "2026-11-04", *PRICES)["requests"] == 10
    done = called("report", first, "--since", "2027-01-01")
    assert done.returncode == 2
    assert "no decision of a router since then" in done.stderr


def test_prices_are_those_of_the_models_that_the_logs_name(tmp_path: Path):
    pytest.importorskip("litellm")
    rows = [spend_log(k, spend=None) for k in range(40)]
    saving = reported(written(tmp_path / "spend.jsonl", rows))["costs"]["saving"]["value"]
    assert saving == pytest.approx(0.6 * 0.94)  # gpt-4o-mini costs .06 of gpt-4o
    rows = [spend_log(k, model="home-made") for k in range(40)]
    done = called("report", written(tmp_path / "unknown.jsonl", rows))
    assert "Give --strong-price" in " ".join(done.stdout.split())


def test_always_strong_would_have_kept_its_cache_warm(tmp_path: Path):
    """A conversation that changes models reads nothing from a cache; one model alone would."""
    cold = {"prompt_tokens": 2000, "session_id": "c"}
    rows = []
    for k, tier in enumerate(("strong", "weak") * 10):
        row = spend_log(0 if tier == "strong" else 9, **cold, request_id=f"r{k}")
        row["startTime"] = f"2026-11-01T00:{k:02d}:00Z"
        metadata = json.loads(row["metadata"])
        metadata["usage_object"]["prompt_tokens_details"]["cached_tokens"] = 0
        row["metadata"] = json.dumps(metadata)
        row["spend"] = None
        rows.append(row)
    log = written(tmp_path / "switching.jsonl", rows)
    costs = reported(log, *PRICES)["costs"]
    cold_strong, warm_strong = (2000 * 10 + 100 * 50) / 1e6, (2000 * 1 + 100 * 50) / 1e6
    assert costs["served"] == pytest.approx(10 * cold_strong * 1.1)
    assert costs["always_strong"] == pytest.approx(cold_strong + 19 * warm_strong)
    assert costs["saving"]["value"] < 0  # cold caches cost more than the weak model saves
    shown = " ".join(called("report", log, *PRICES).stdout.replace("│", " ").split())
    assert "0% of the tokens read came from caches, and 95% would have for a strong model" in shown


def test_thumbs_are_joined_and_the_loss_is_said_to_be_unknown(tmp_path: Path):
    log = written(tmp_path / "spend.jsonl", [spend_log(k) for k in range(40)])
    thumbs = [{"request_id": f"chatcmpl-{k}", "score": k % 3 == 0} for k in range(40)]
    file = written(tmp_path / "thumbs.jsonl", [*thumbs, {"request_id": "nobody's", "score": 1}])
    done = called("report", log, "--feedback", file, *PRICES, "--json")
    assert "1: a score of an answer that is not in these logs (nobody's)" in done.stderr
    (route,) = json.loads(done.stdout)["routes"]
    assert route["quality"]["n"] == {"strong": 16, "weak": 24}
    assert route["quality"]["loss"] is None
    page = " ".join(called("report", log, "--feedback", file, *PRICES).stdout.split())
    assert "logs have one answer to each request" in page
    assert "no answer was judged" in " ".join(called("report", log, *PRICES).stdout.split())


def test_decisions_in_metadata_headers_and_columns(tmp_path: Path):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    messages = [{"role": "user", "content": "Why?"}]
    response = {"id": "chatcmpl-1", "usage": usage, "created": 1_764_000_000}
    values = {"tier": "weak", "score": 0.25, "threshold": 0.5, "cause": "score", "router": "mf"}
    headers = {f"X-RouteLLM-{name}": str(value) for name, value in values.items()}
    rows = [
        {"messages": messages, "response": response, "metadata": {"routellm": values}},
        {"messages": messages, "response": response, "response_headers": headers},
        {"id": "chatcmpl-2", **usage, **values, "timestamp": "2026-11-01T00:00:00Z"},
        {"messages": messages, "response": response},
    ]
    done = called("report", written(tmp_path / "calls.jsonl", rows), *PRICES, "--json")
    assert "skipped 1: no decision of a router" in done.stderr
    (route,) = json.loads(done.stdout)["routes"]
    assert (route["requests"], route["share"]["value"]) == (3, 0.0)
    assert route["costs"]["requests"] == 3


def test_fallbacks_failures_and_cached_answers_are_no_cost_of_a_decision(tmp_path: Path):
    rows = [spend_log(k) for k in range(10)]
    rows.append(spend_log(10, model_group="a-third-group"))
    rows.append(spend_log(11, cache_hit="True"))
    rows.append(spend_log(12, status="failure"))
    route = reported(written(tmp_path / "spend.jsonl", rows), *PRICES)
    assert (route["requests"], route["costs"]["requests"]) == (12, 10)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["calls.jsonl"], "hold no decision of a router"),
        (["calls.jsonl", "http://127.0.0.1:9/metrics"], "only logs can be several sources"),
        (["none.db"], "there is no store"),
        (["http://127.0.0.1:9/metrics"], "cannot be reached"),
        (["http://127.0.0.1:9/metrics", "--since", "7d"], "leave out --since"),
        (["http://127.0.0.1:9", "--feedback", "calls.jsonl"], "do not identify single answers"),
        (["http://127.0.0.1:9", "--strong-price", "1,2"], "price options are for logs only"),
    ],
)
def test_what_is_no_source_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], advice: str
):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "calls.jsonl", [{"prompt": "Why?"}])
    done = called("report", *arguments)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert advice in line


def routed_span(k: int, form: str) -> dict[str, Any]:
    """A span of LangChain, or of LlamaIndex's RouteLLM, as OpenInference's instrumentation has it;
    four of ten go to the strong model.
    """
    tier = "strong" if k % 10 < 4 else "weak"
    decision = {"tier": tier, "score": 0.9 if tier == "strong" else 0.1, "threshold": 0.5}
    decision |= {"router": "mf", "cause": "score", "propensity": 0.9, "draw": f"d{k}"}
    model = {"strong": "gpt-4o", "weak": "gpt-4o-mini"}[tier]
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    attributes: dict[str, Any] = {"openinference.span.kind": "LLM"}
    if form == "langchain":
        run = {f"routellm_{name}": value for name, value in decision.items()}
        attributes |= {"metadata": json.dumps({**run, "ls_provider": "openai"})}
        attributes |= {"llm.invocation_parameters": json.dumps({"model": model})}
        attributes |= {"llm.token_count.prompt": 1000, "llm.token_count.completion": 100}
        attributes |= {"llm.token_count.prompt_details.cache_read": 400}
    else:
        usage["prompt_tokens_details"] = {"cached_tokens": 400}  # type: ignore[assignment]
        answer = {"additional_kwargs": {"routellm": decision}}
        attributes |= {
            "output.value": json.dumps({**answer, "raw": {"model": model, "usage": usage}})
        }
        attributes |= {"llm.model_name": "router-mf-0.5"}
    time = f"2026-11-{1 + k // 10:02d}T00:00:{k % 10:02d}.000Z"
    return {
        **{"name": "ChatOpenAI", "context": {"span_id": f"span-{k}"}, "parent_id": None},
        **{"start_time": time, "end_time": time, "status_code": "OK", "attributes": attributes},
    }


def as_data_frame(span: dict[str, Any]) -> dict[str, Any]:
    columns = {f"attributes.{name}": value for name, value in span.pop("attributes").items()}
    metadata = columns.get("attributes.metadata")
    columns["attributes.metadata"] = metadata and json.loads(metadata)
    kind = columns.pop("attributes.openinference.span.kind")
    return {**span, "context.span_id": span.pop("context")["span_id"], "span_kind": kind} | columns


def as_otlp(span: dict[str, Any]) -> dict[str, Any]:
    def value(of: Any) -> dict[str, Any]:
        return {"intValue": str(of)} if isinstance(of, int) else {"stringValue": of}

    pairs = [{"key": key, "value": value(each)} for key, each in span["attributes"].items()]
    made = {"spanId": span["context"]["span_id"], "attributes": pairs, "status": {"code": 1}}
    day, second = int(span["start_time"][8:10]) - 1, int(span["start_time"][17:19])
    made["startTimeUnixNano"] = str((1793491200 + 86400 * day + second) * 10**9)
    return {"resourceSpans": [{"scopeSpans": [{"spans": [made]}]}]}


@pytest.mark.parametrize("form", ["langchain", "llama_index"])
@pytest.mark.parametrize("container", ["lines", "data frame", "OTLP", "API"])
def test_spans_of_phoenix(tmp_path: Path, form: str, container: str):
    spans = [routed_span(k, form) for k in range(40)]
    other = {"context": {"span_id": "x"}, "attributes": {"openinference.span.kind": "LLM"}}
    failed = {**routed_span(0, form), "context": {"span_id": "y"}, "status_code": "ERROR"}
    rows = [*spans, other, failed]
    if container == "API":
        rows = [{"data": rows, "next_cursor": None}]
    elif container != "lines":
        rows = list(map({"data frame": as_data_frame, "OTLP": as_otlp}[container], spans))
    log = written(tmp_path / "spans.jsonl", rows)
    thumbs = written(tmp_path / "thumbs.jsonl", [{"request_id": "span-0", "score": 1}])
    route = reported(log, *PRICES, "--feedback", thumbs)
    expected = reported(
        written(tmp_path / "spend.jsonl", [spend_log(k) for k in range(40)]), *PRICES
    )
    assert route["requests"] == 40
    assert (route["first_at"], route["last_at"]) == (expected["first_at"], expected["last_at"])
    assert route["share"] == expected["share"]
    for name in ("served", "always_strong", "saving", "cached"):
        assert route["costs"][name] == pytest.approx(expected["costs"][name]), name
    assert route["quality"]["n"] == {"strong": 1, "weak": 0}
    explored = called("explored", log, "--judgements", thumbs)
    assert "40 calls, 0 of them sent to the other model; judged: 1" in explored.stdout


def test_generations_of_langfuse(tmp_path: Path):
    rows = []
    for k in range(40):
        tier = "strong" if k % 10 < 4 else "weak"
        run = {"routellm_tier": tier, "routellm_score": 0.5, "routellm_threshold": 0.5}
        usage = {"input": 600, "input_cached_tokens": 400, "output": 100}
        model = {"strong": "gpt-4o", "weak": "gpt-4o-mini"}[tier]
        time = f"2026-11-{1 + k // 10:02d}T00:00:{k % 10:02d}.000Z"
        row = {"id": f"g{k}", "type": "GENERATION", "metadata": run, "usageDetails": usage}
        rows.append({**row, "startTime": time, "model": model, "input": "hidden"})
    rows.append({**rows[0], "id": "failed", "level": "ERROR"})
    route = reported(written(tmp_path / "observations.jsonl", rows), *PRICES)
    assert route["requests"] == 40
    assert route["costs"]["always_strong"] == pytest.approx(40 * STRONG)
    assert route["costs"]["cached"] == pytest.approx(0.4)


def test_a_row_with_a_decision_is_one_call_whatever_it_has_beside_it(tmp_path: Path):
    rows = [{**spend_log(k), "data": [{"page": 1}, {"page": 2}]} for k in range(40)]
    assert reported(written(tmp_path / "spend.jsonl", rows), *PRICES)["requests"] == 40
