"""The forms in which calls of language models are logged, recognised by their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..prompt_text import human_turns


@dataclass(frozen=True)
class LoggedCall:
    """A call of a language model."""

    turns: tuple[str, ...]
    """What the human wrote, oldest first; the last is not blank."""
    model: str | None = None
    """Which model answered."""
    input_tokens: int | None = None
    output_tokens: int | None = None


Row = Mapping[str, Any]

_NO_FORM = (
    "no prompt: a row has 'prompt', 'messages', or the columns of LiteLLM's spend logs, of "
    "OpenTelemetry's or of Langfuse's exports"
)
_NO_TEXT = "the last message of the human has no text, or there is none"
_NOT_STORED = "LiteLLM stored no prompt: set store_prompts_in_spend_logs: true"
_NO_MESSAGES = "a span without gen_ai.input.messages"
_NO_GENERATION = "an observation of Langfuse that is no generation"

_INDEXED = re.compile(r"gen_ai\.prompt\.(\d+)\.(role|content)")


def calls_in(row: Row) -> Iterator[LoggedCall | str]:
    """Yield the calls that a row holds; for one that cannot be used, why, without its text."""
    if isinstance(row.get("prompt"), str):
        prompt = row["prompt"]
        yield LoggedCall((prompt,)) if prompt.strip() else _NO_TEXT
    elif row.get("resourceSpans") is not None:
        for span in _spans(row):
            yield _span(span)
    else:
        forms = (read for key, read in _FORMS.items() if row.get(key) is not None)
        yield next((read(row) for read in forms), _NO_FORM)


def _litellm(row: Row) -> LoggedCall | str:
    body = _mapping(row.get("proxy_server_request"))
    found = _messages(body) or _list(_parsed(row.get("messages")))
    if not found:
        return _NOT_STORED
    model = row.get("model_group") or row.get("model")
    return _call(found, model, row.get("prompt_tokens"), row.get("completion_tokens"))


def _openai(row: Row) -> LoggedCall | str:
    response = _parsed(row.get("response"))
    answer = response if isinstance(response, Mapping) else {}
    usage = _mapping(row.get("usage")) or _mapping(answer.get("usage"))
    model = row.get("model") or answer.get("model")
    found = _list(_parsed(row["messages"]))
    return _call(found, model, usage.get("prompt_tokens"), usage.get("completion_tokens"))


def _langfuse(row: Row) -> LoggedCall | str:
    if str(row.get("type", "GENERATION")).upper() != "GENERATION":
        return _NO_GENERATION
    usage = next(
        filter(None, (_mapping(row.get(k)) for k in ("usage_details", "usageDetails", "usage"))), {}
    )
    model = next(
        filter(None, (row.get(k) for k in ("provided_model_name", "providedModelName", "model"))),
        None,
    )
    return _call(_messages(_parsed(row["input"])), model, usage.get("input"), usage.get("output"))


def _span(row: Row) -> LoggedCall | str:
    attributes = _attributes(row.get("attributes"))
    for event in _list(_parsed(row.get("events"))):
        if isinstance(event, Mapping):
            attributes = {**_attributes(event.get("attributes")), **attributes}
    given = _list(_parsed(attributes.get("gen_ai.input.messages")))
    messages = [_of_parts(each) for each in given] or _indexed(attributes)
    if not messages:
        return _NO_MESSAGES
    return _call(
        messages,
        attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model"),
        attributes.get("gen_ai.usage.input_tokens"),
        attributes.get("gen_ai.usage.output_tokens"),
    )


_FORMS: dict[str, Callable[[Row], LoggedCall | str]] = {
    "proxy_server_request": _litellm,
    "request_id": _litellm,
    "messages": _openai,
    "attributes": _span,
    "input": _langfuse,
}
"""By the key that tells it, the most telling first."""


def _call(messages: Any, model: Any, given: Any, answered: Any) -> LoggedCall | str:
    turns = human_turns(messages)
    if not turns or not turns[-1].strip():
        return _NO_TEXT
    name = model if isinstance(model, str) else None
    return LoggedCall(turns, name, _count(given), _count(answered))


def _messages(value: Any) -> list[Any]:
    """Return the messages of a request's body, of a list of them, or of a bare text."""
    if isinstance(value, Mapping):
        value = next(
            (value[key] for key in ("messages", "input", "prompt") if value.get(key)), None
        )
    if isinstance(value, str):
        return [{"role": "user", "content": value}] if value.strip() else []
    return _list(value)


def _of_parts(message: Any) -> Any:
    """Return a message of OpenTelemetry's in OpenAI's form."""
    parts = message.get("parts") if isinstance(message, Mapping) else None
    if not isinstance(parts, list):
        return message
    content = []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            content.append({"type": "text", "text": part.get("content")})
        elif kind == "tool_call_response":
            content.append({"type": "tool_result"})
    return {"role": message.get("role"), "content": content}


def _indexed(attributes: Mapping[str, Any]) -> list[Any]:
    """Return the messages in attributes gen_ai.prompt.0.role, gen_ai.prompt.0.content, ..."""
    messages: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        found = _INDEXED.fullmatch(key)
        if found:
            messages.setdefault(int(found[1]), {})[found[2]] = value
    return [messages[at] for at in sorted(messages)]


def _spans(row: Row) -> Iterator[Row]:
    for resource in _list(_parsed(row["resourceSpans"])):
        for scope in _list(_mapping(resource).get("scopeSpans")):
            yield from filter(None, map(_mapping, _list(_mapping(scope).get("spans"))))


def _attributes(value: Any) -> dict[str, Any]:
    """Return attributes by name, also of OTLP, where they are a list of keys and values."""
    value = _parsed(value)
    if isinstance(value, list):
        pairs = filter(None, map(_mapping, value))
        return {str(pair.get("key")): _otlp(pair.get("value")) for pair in pairs}
    return dict(_mapping(value))


def _otlp(value: Any) -> Any:
    """Return a value of OTLP, such as {"stringValue": "..."}, as it is in JSON."""
    if not isinstance(value, Mapping):
        return value
    if "arrayValue" in value:
        return [_otlp(each) for each in _list(_mapping(value["arrayValue"]).get("values"))]
    if "kvlistValue" in value:
        return _attributes(_list(_mapping(value["kvlistValue"]).get("values")))
    return next(iter(value.values()), None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    value = _parsed(value)
    return value if isinstance(value, Mapping) else {}


def _parsed(value: Any) -> Any:
    """Return what a text of JSON says, as it stands in CSV and in parquet; else the value."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _count(value: Any) -> int | None:
    try:
        count = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count < 10**9 else None
