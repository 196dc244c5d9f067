"""OpenTelemetry's spans and log records of generative AI: their attributes and messages.

The messages of a call stand in attributes of its span or of an event, all at once, or, before
version 1.37 of the conventions, in an event each, on the span or as log records of that span.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .json_values import listed, mapped, parsed

Row = Mapping[str, Any]

_INDEXED = re.compile(r"gen_ai\.prompt\.(\d+)\.(role|content)")
_OF_ROLE = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")

_CONTENT = "gen_ai.event.content"
"""Attribute of an event in which Azure's instrumentation has the message, as JSON."""

_IDS = ("traceId", "spanId")
_VALUES = frozenset(("stringValue", "kvlistValue"))
"""Keys of an OTLP value that may hold a message."""


def spans_of(row: Row) -> Iterator[Row]:
    """Yield what a line of OTLP in JSON tells of calls: spans; log records, those with a message
    each as the events of their span.
    """
    for scope in _scopes(row, "resourceSpans", "scopeSpans"):
        yield from filter(None, map(mapped, listed(scope.get("spans"))))
    apart: dict[tuple[object, ...], list[Row]] = {}
    for scope in _scopes(row, "resourceLogs", "scopeLogs"):
        for record in filter(None, map(mapped, listed(scope.get("logRecords")))):
            if "gen_ai.input.messages" in attributes_of(record.get("attributes")):
                yield record
            elif _OF_ROLE.fullmatch(_name(record)):
                ids = tuple(record.get(each) for each in _IDS)
                apart.setdefault(ids, []).append(record)
    for records in apart.values():
        attributes = attributes_of(records[0].get("attributes"))
        yield {**records[0], "attributes": attributes, "events": records}


def is_otlp(row: Row) -> bool:
    """Whether a row is a line of OTLP in JSON."""
    return any(row.get(each) is not None for each in ("resourceSpans", "resourceLogs"))


def with_events(span: Row) -> dict[str, Any]:
    """Return the attributes of a span and of its events."""
    attributes = attributes_of(span.get("attributes"))
    for event in _events(span):
        attributes = {**attributes_of(event.get("attributes")), **attributes}
    return attributes


def messages_of(span: Row, attributes: Row) -> list[Any]:
    """Return the messages of a span in OpenAI's form; none if it has none.

    Args:
        span: as it was exported.
        attributes: of the span and its events.
    """
    given = listed(parsed(attributes.get("gen_ai.input.messages")))
    found = [_of_parts(each) for each in given]
    found = found or listed(parsed(attributes.get("gen_ai.prompt")))
    found = found or _indexed(attributes) or [*filter(None, map(_of_event, _events(span)))]
    system = listed(parsed(attributes.get("gen_ai.system_instructions")))
    if found and system:
        return [_of_parts({"role": "system", "parts": system}), *found]
    return found


def attributes_of(value: Any) -> dict[str, Any]:
    """Return attributes by name, also of OTLP, where they are a list of keys and values."""
    value = parsed(value)
    if isinstance(value, list):
        pairs = filter(None, map(mapped, value))
        return {str(pair.get("key")): _otlp(pair.get("value")) for pair in pairs}
    return dict(mapped(value))


def is_error(span: Row) -> bool:
    """Whether a span's status says so: OTLP's in JSON, Phoenix's, or as Python's console exporter
    has it.
    """
    status = span.get("status")
    found = mapped(status) if status else span
    code = found.get("code", found.get("status_code"))
    return code == 2 or str(code).upper().endswith("ERROR")


def _scopes(row: Row, resources: str, scopes: str) -> Iterator[Row]:
    for resource in listed(parsed(row.get(resources))):
        yield from map(mapped, listed(mapped(resource).get(scopes)))


def _events(span: Row) -> Iterator[Row]:
    yield from filter(None, map(mapped, listed(parsed(span.get("events")))))


def _name(event: Row) -> str:
    given = event.get("name") or event.get("eventName")
    return str(given or attributes_of(event.get("attributes")).get("event.name"))


def _of_event(event: Row) -> Row | None:
    """Return the message of an event that holds one: in its body, an attribute, or several."""
    role = _OF_ROLE.fullmatch(_name(event))
    if not role:
        return None
    attributes = attributes_of(event.get("attributes"))
    given = mapped(event.get("body"))
    body = mapped(_otlp(given)) if _VALUES.intersection(given) else given
    body = body or mapped(attributes.get(_CONTENT)) or attributes
    return {"role": role[1], "content": _content(body.get("content"))}


def _content(value: Any) -> Any:
    """Return the content of a message, of which a text of JSON may hold the parts."""
    found = listed(parsed(value))
    are_parts = found and all(isinstance(each, Mapping) and "type" in each for each in found)
    return found if are_parts else value


def _of_parts(message: Any) -> Any:
    """Return a message of OpenTelemetry's in OpenAI's form."""
    parts = message.get("parts") if isinstance(message, Mapping) else None
    if not isinstance(parts, list):
        return message
    content = []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and "content" in part:
            content.append({"type": "text", "text": part["content"]})
        elif kind == "tool_call_response":
            content.append({"type": "tool_result"})
        else:  # LiteLLM leaves parts as clients sent them
            content.append(part)
    return {**message, "content": content}


def _indexed(attributes: Row) -> list[Any]:
    """Return the messages in attributes gen_ai.prompt.0.role, gen_ai.prompt.0.content, ..."""
    messages: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        found = _INDEXED.fullmatch(key)
        if found:
            messages.setdefault(int(found[1]), {})[found[2]] = _content(value)
    return [messages[at] for at in sorted(messages)]


def _otlp(value: Any) -> Any:
    """Return a value of OTLP, such as {"stringValue": "..."}, as it is in JSON. Phoenix's API has
    {"string_value": "...", "int_value": null, ...}.
    """
    if not isinstance(value, Mapping):
        return value
    kind, found = next(((k, v) for k, v in value.items() if v is not None), (None, None))
    if kind in ("arrayValue", "array_value"):
        return [_otlp(each) for each in listed(mapped(found).get("values"))]
    if kind in ("kvlistValue", "kvlist_value"):
        return attributes_of(listed(mapped(found).get("values")))
    return found
