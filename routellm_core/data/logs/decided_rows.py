"""The rows of a log that may hold decisions, by the names of a gateway's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import langfuse, openinference
from .call_facts import facts_of
from .json_values import listed, mapped
from .logged_decisions import KEY, logged_decision
from .nested_spans import is_span, span_id, trace_id
from .telemetry import is_error, is_otlp, spans_of, with_events

Row = Mapping[str, Any]


def rows_in(row: Row) -> Iterator[Row]:
    """Yield the rows that a row of a log holds: the spans of a line of OTLP, what an API answers
    with at once, or the row itself. Spans of models and Langfuse's generations have usage, a time,
    an id and metadata as a gateway's rows have them, beside their own columns; what is neither is
    as it was.
    """
    if is_otlp(row):
        rows = [*spans_of(row)]
    elif logged_decision(row) is not None:  # `data` may be anything beside it
        rows = [row]
    else:
        pages = (listed(row.get(name)) for name in ("observations", "data"))
        rows = next(filter(None, ([*filter(None, map(mapped, each))] for each in pages)), [row])
    for each in rows:
        if is_span(each):
            yield _span(each)
        elif langfuse.is_generation(each):
            yield _generation(each)
        else:
            yield each


def _span(row: Row) -> Row:
    attributes = openinference.attributes_in(row, with_events(row))
    if openinference.kind_of(row, attributes) != "LLM":
        return row
    answer = openinference.answer_of(attributes)
    raw, noted = mapped(answer.get("raw")), mapped(answer.get("additional_kwargs"))
    metadata = openinference.metadata_of(attributes)
    if KEY in noted:  # LlamaIndex logs the response, on which the decision is
        metadata = {KEY: noted[KEY], **metadata}
    usage = {**mapped(raw.get("usage")), **openinference.usage_of(attributes)}
    columns = openinference.columns_of(row, attributes)
    del columns["route"]  # which is the model that was chosen
    columns = {**columns, "id": span_id(row), "trace_id": trace_id(row)}
    model = raw.get("model") or openinference.asked_model(attributes)
    return _row(columns, usage, metadata, model, span_id(row), failed=is_error(row))


def _generation(row: Row) -> Row:
    failed = str(row.get("level")).upper() == "ERROR"
    columns, usage = langfuse.columns_of(row), langfuse.usage_of(row)
    metadata = mapped(row.get("metadata"))
    return _row(columns, usage, metadata, langfuse.model_of(row), row.get("id"), failed=failed)


def _row(
    columns: Row, usage: Row, metadata: Row, model: Any, own_id: Any, *, failed: bool
) -> dict[str, Any]:
    found = {
        **columns,
        "usage": usage,
        "prompt_tokens": usage.get("prompt_tokens"),
        "completion_tokens": usage.get("completion_tokens"),
        "metadata": metadata,
        "model": model,
        "response_id": own_id,
        "start_time": facts_of(columns, metadata, usage).when,
    }
    return {**found, "status": "failure"} if failed else found
