"""`routellm audit` on spans of OpenInference, in what people get out of Arize Phoenix."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import routers

from .audits import AT, PRICES, found_in, lines
from .command import called

PHOENIX = Path(__file__).parent / "phoenix"
"""The same 26 spans of openai, LangChain and LlamaIndex, instrumented by OpenInference: as OTLP, as
Phoenix's API answers, and its data frame as JSON lines; less what the models answered."""

SYSTEM = {"role": "system", "content": "Be brief."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def chat(*messages: dict[str, Any], cached: bool = True, **columns: Any) -> dict[str, Any]:
    """One of the calls in OpenAI's form."""
    usage: dict[str, Any] = {"prompt_tokens": 2000, "completion_tokens": 100}
    if cached:
        usage["prompt_tokens_details"] = {"cached_tokens": 1024}
    time = "2026-11-29T15:06:50Z"
    row = {"model": "gpt-4o", "messages": messages, "usage": usage, "start_time": time}
    return {**row, **columns}


def calls() -> list[dict[str, Any]]:
    """The calls that the spans are of, in OpenAI's form."""
    session = {"sessionId": "s1", "metadata": {"team": "support", "n": 1}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    asked = [{"id": "t1", "type": "function", "function": {"name": "w", "arguments": "{}"}}]
    spans = (PHOENIX / "data_frame.jsonl").read_text("utf-8").splitlines()
    (engine,) = (
        [{**user(each["message.content"]), "role": each["message.role"]} for each in messages]
        for messages in (json.loads(span)["attributes.llm.input_messages"] for span in spans)
        if "Whales are mammals" in str(messages)
    )
    return [
        chat(SYSTEM, user("Why do cats purr?")),
        chat(SYSTEM, user("Why do dogs bark?")),
        chat(user("Why is snow white?"), cached=False),
        chat(SYSTEM, user("Why do birds sing?")),
        chat(user("Why do fish swim?")),
        chat(*engine),
        chat(
            SYSTEM,
            user("Hello"),
            {"role": "assistant", "content": "Hello!"},
            user("Why is the sky blue?"),
            **session,
        ),
        chat({"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]})
        | session,
        chat(user("Why is grass green?")),
        chat(SYSTEM, user("Why is the sea salty?")),
        chat(
            user("Weather in Rome?"),
            {"role": "assistant", "content": None, "tool_calls": asked},
            {"role": "tool", "tool_call_id": "t1", "content": "SECRET"},
        ),
        chat(SYSTEM, user("Why do birds sing?")),  # spans of LlamaIndex and of openai in it
    ]


def snake_case(value: dict[str, Any]) -> dict[str, Any]:
    """A value of OTLP as Phoenix's API has it."""
    ((kind, found),) = value.items()
    if kind == "arrayValue":
        found = {"values": [snake_case(each) for each in found["values"]]}
    names = {
        "arrayValue": "array_value",
        "stringValue": "string_value",
        "intValue": "int_value",
        "doubleValue": "double_value",
    }
    return {**dict.fromkeys(names.values()), names[kind]: found}


def otlp_of_api() -> dict[str, Any]:
    """What `/v1/projects/.../spans/otlpv1` answers."""
    found = []
    for line in (PHOENIX / "otlp.jsonl").read_text("utf-8").splitlines():
        (resource,) = json.loads(line)["resourceSpans"]
        (span,) = resource["scopeSpans"][0]["spans"]
        attributes = [
            {"key": each["key"], "value": snake_case(each["value"])} for each in span["attributes"]
        ]
        found.append(
            {
                "name": span["name"],
                "span_id": span["spanId"],
                "parent_span_id": span.get("parentSpanId"),
                "start_time_unix_nano": int(span["startTimeUnixNano"]),
                "status": {"code": 2 if "ERROR" in span["status"]["code"] else 1, "message": None},
                "attributes": attributes,
            }
        )
    return {"data": found, "next_cursor": None}


def exported(form: str, folder: Path) -> Path:
    """Write the spans as one of the ways of getting them gives them."""
    frame = PHOENIX / "data_frame.jsonl"
    rows = [json.loads(line) for line in frame.read_text("utf-8").splitlines()]
    if form == "oldest first":
        return lines(folder / "spans.jsonl", *reversed(rows))
    if form == "csv":  # pandas writes lists and objects as Python does
        path = folder / "spans.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
        return path
    if form == "parquet":
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        for row in rows:  # texts and objects in one column are no parquet
            prompts = row["attributes.llm.prompts"] or []
            row["attributes.llm.prompts"] = [
                {"prompt.text": each} if isinstance(each, str) else each for each in prompts
            ]
        parquet.write_table(arrow.Table.from_pylist(rows), folder / "spans.parquet")
        return folder / "spans.parquet"
    if form == "API, OTLP":
        return lines(folder / "spans.json", otlp_of_api())
    return {"OTLP": PHOENIX / "otlp.jsonl", "API": PHOENIX / "api.json", "lines": frame}[form]


def audited(path: Path, out: Path) -> dict[str, Any]:
    done = called("audit", str(path), *AT, *PRICES, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return found_in(out)


@pytest.mark.parametrize(
    "form", ["OTLP", "API", "API, OTLP", "lines", "oldest first", "csv", "parquet"]
)
def test_each_container_gives_the_figures_of_the_calls(tmp_path, plugin, form):
    plugin(routers)
    expected = audited(lines(tmp_path / "calls.jsonl", *calls()), tmp_path / "expected")
    found = audited(exported(form, tmp_path), tmp_path / "found")
    skipped = {line.partition(" (/")[0] for line in found.pop("skipped")}
    expected.pop("skipped")
    assert found == expected
    assert {
        "skipped 2: a call that failed, by its status",
        "skipped 2: a span that is no call of a model (CHAIN)",
        "skipped 2: a span that is no call of a model (EMBEDDING)",
        "skipped 1: a span that is no call of a model (PROMPT)",
        "skipped 1: a span that is no call of a model (RETRIEVER)",
    } <= skipped


def test_calls_in_a_route_are_those_that_asked_for_it(tmp_path, plugin):
    plugin(routers)
    done = called(
        *("audit", str(PHOENIX / "otlp.jsonl"), *AT, "--route", "gpt-4o"),
        *("--out", str(tmp_path / "out")),
    )
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == len(calls())


def test_a_routed_call_and_the_model_in_it_are_one(tmp_path, plugin):
    """A span without messages, as LlamaIndex has of a model's base class, may be between them."""
    plugin(routers)

    def span(own: str, parent: str | None, **attributes: Any) -> dict[str, Any]:
        ids = {"context": {"span_id": own, "trace_id": "t"}, "parent_id": parent}
        return {**ids, "span_kind": "LLM", "status_code": "OK", "attributes": attributes}

    asked = {"llm.input_messages.0.message.role": "user"}
    asked["llm.input_messages.0.message.content"] = "Why do birds sing?"
    spans = [
        span("a", None, **{"llm.model_name": "router-mf-0.5"}, **asked),
        span("b", "a"),
        span("c", "b", **{"llm.model_name": "gpt-4o"}, **asked),
    ]
    for at, order in enumerate((spans, spans[::-1])):
        path = lines(tmp_path / "spans.jsonl", *order)
        assert audited(path, tmp_path / f"{at}")["calls"] == 1


_NUMBERS = itertools.count(1)


def side_by_side(name: str, began: int, ended: int, text: str, **more: Any) -> dict[str, Any]:
    """A span that is within no other."""
    time = "2026-11-29T17:27:{:02d}.5Z"
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.invocation_parameters": '{"model": "gpt-4o"}',
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": text,
        **more,
    }
    ids = {"context": {"span_id": f"span-{next(_NUMBERS)}"}, "parent_id": None}
    times = {"start_time": time.format(began), "end_time": time.format(ended)}
    return {"name": name, **ids, **times, "attributes": attributes}


def test_a_call_that_langchain_and_its_client_log_side_by_side_is_one(tmp_path, plugin):
    plugin(routers)
    other = {"llm.invocation_parameters": '{"model": "gpt-4o-mini"}'}
    spans = [
        side_by_side("ChatCompletion", 3, 5, "Why do birds sing?"),
        side_by_side("ChatOpenAI", 2, 6, "Why do birds sing?"),
        side_by_side("ChatOpenAI", 2, 6, "Why do birds sing?"),  # two at once, of which
        side_by_side("ChatOpenAI", 3, 5, "Why do birds sing?"),  # none is the client's
        side_by_side("ChatCompletion", 7, 9, "Why do birds sing?"),  # later
        side_by_side("ChatCompletion", 3, 5, "Why do birds sing?", **other),
        side_by_side("ChatCompletion", 3, 5, "Why do dogs bark?"),
    ]
    for at, order in enumerate((spans, spans[::-1])):
        path = lines(tmp_path / "spans.jsonl", *order)
        found = audited(path, tmp_path / f"{at}")
        assert found["calls"] == len(spans) - 1
        assert any(line.startswith("skipped 1: a call that two") for line in found["skipped"])


def test_texts_that_were_hidden_are_no_prompts(tmp_path, plugin):
    """As with OPENINFERENCE_HIDE_INPUT_TEXT."""
    plugin(routers)
    text = (PHOENIX / "otlp.jsonl").read_text("utf-8").replace("Why do cats purr?", "__REDACTED__")
    (tmp_path / "spans.jsonl").write_text(text, "utf-8")
    done = called("audit", str(tmp_path / "spans.jsonl"), *AT)
    assert done.returncode == 0, done.stderr
    assert "skipped 1: the last message of the human has no text" in done.stderr + done.stdout


def test_a_data_frame_with_its_index_says_what_to_do(tmp_path):
    path = exported("csv", tmp_path)
    head, *rows = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([f"context.span_id,{head}", *(f"x,{row}" for row in rows)]), "utf-8")
    done = called("audit", str(path))
    assert done.returncode == 2
    assert "remove one (of pandas, index=False)" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["calibrate", "score"])
def test_other_commands_read_them(tmp_path, plugin, command):
    plugin(routers)
    log = str(PHOENIX / "api.json")
    if command == "calibrate":
        done = called("calibrate", "--router", "length", "--prompts", log, "--strong-share", "0.5")
    else:
        done = called("score", "--router", "length", log)
    assert done.returncode == 0, done.stderr
    assert "SECRET" not in done.stdout
