"""What a stand-in model answers, in the forms of OpenAI's APIs."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from routellm_core.prompt.turns import scored_text

_CHARACTERS_PER_TOKEN = 4
_EXAMPLES: dict[str, object] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


@dataclass(frozen=True)
class Answer:
    """One answer: a text or the call of a tool."""

    model: str
    text: str
    tool: str | None
    arguments: str
    prompt_tokens: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:24])
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def to(cls, body: dict[str, Any], model: str) -> Answer:
        """Return what ``model`` answers to a request of any of the APIs."""
        messages = body.get("messages") or body.get("input") or body.get("prompt") or []
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        tool, arguments = _tool_call(body, messages)
        asked = scored_text(messages) or "something without words"
        words = " ".join(asked.split())
        text = (
            f"{model} here, a stand-in that only repeats. You asked: "
            f"{words[:160]}{'…' if len(words) > 160 else ''} "
            f"A real {model} would work through this and answer in its place."
        )
        schema = _answer_schema(body)
        if schema is not None:
            text = json.dumps(_example(schema, schema))
        return cls(model, text, tool, arguments, _tokens(json.dumps(messages)))

    @property
    def completion_tokens(self) -> int:
        return _tokens(self.arguments if self.tool else self.text)

    def words(self) -> list[str]:
        """Return the text in the pieces it is streamed in."""
        return re.findall(r"\S+\s*", self.text)


def chat_answer(answer: Answer) -> dict[str, Any]:
    """Return the whole answer as a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool:
        message = {"role": "assistant", "content": None, "tool_calls": [_chat_tool_call(answer)]}
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(answer)}
    return {**_chat_head(answer, ""), "choices": [choice], "usage": _chat_usage(answer)}


def chat_events(answer: Answer, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answer as the chunks of a streamed chat completion."""
    head = _chat_head(answer, ".chunk")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if answer.tool:
        deltas.append({"tool_calls": [{"index": 0, **_chat_tool_call(answer)}]})
    else:
        deltas.extend({"content": word} for word in answer.words())
    for delta in deltas:
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {
        **head,
        "choices": [{"index": 0, "delta": {}, "finish_reason": _finish_reason(answer)}],
    }
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _chat_usage(answer)}


def text_answer(answer: Answer) -> dict[str, Any]:
    """Return the whole answer as a text completion."""
    return {**_text_chunk(answer, answer.text, "stop"), "usage": _chat_usage(answer)}


def text_events(answer: Answer) -> Iterator[dict[str, Any]]:
    """Yield the answer as the chunks of a streamed text completion."""
    for word in answer.words():
        yield _text_chunk(answer, word, None)
    yield _text_chunk(answer, "", "stop")


def responses_answer(answer: Answer, status: str = "completed") -> dict[str, Any]:
    """Return the whole answer as an object of the responses API."""
    done = status == "completed"
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created,
        "model": answer.model,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [_responses_item(answer)] if done else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "usage": _responses_usage(answer) if done else None,
    }


def responses_events(answer: Answer) -> Iterator[dict[str, Any]]:
    """Yield the answer as the events of a streamed response."""
    item = _responses_item(answer)
    at = {"item_id": item["id"], "output_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": responses_answer(answer, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _begun(item)},
    ]
    if answer.tool:
        kind = "response.function_call_arguments"
        events.append({"type": f"{kind}.delta", **at, "delta": answer.arguments})
        events.append({"type": f"{kind}.done", **at, "arguments": answer.arguments})
    else:
        at["content_index"] = 0
        empty = {"type": "output_text", "text": "", "annotations": []}
        events.append({"type": "response.content_part.added", **at, "part": empty})
        for word in answer.words():
            events.append({"type": "response.output_text.delta", **at, "delta": word})
        events.append({"type": "response.output_text.done", **at, "text": answer.text})
        part = {**empty, "text": answer.text}
        events.append({"type": "response.content_part.done", **at, "part": part})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": responses_answer(answer)})
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def _tokens(text: str) -> int:
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)


def _tool_call(body: dict[str, Any], messages: list[Any]) -> tuple[str | None, str]:
    """Return the call of the tool that is asked for, or of the first; if it was called already,
    of none.
    """
    tools = (tool.get("function", tool) for tool in body.get("tools") or [])
    functions = [tool for tool in tools if "name" in tool]  # others, such as web search, have none
    choice, last = body.get("tool_choice"), messages[-1] if messages else {}
    called = last.get("role") == "tool" or last.get("type") == "function_call_output"
    if not functions or called or choice == "none":
        return None, ""
    wanted = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    function = next((one for one in functions if one.get("name") == wanted), functions[0])
    parameters = function.get("parameters") or {}
    properties = (parameters.get("properties") or {}).items()
    arguments = {name: _example(schema, parameters) for name, schema in properties}
    return function["name"], json.dumps(arguments)


def _answer_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the JSON schema that the answer must have, in either API."""
    wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    schema: dict[str, Any] | None = wanted.get("json_schema", wanted).get("schema")
    return schema


def _example(schema: dict[str, Any] | None, root: dict[str, Any]) -> object:
    """Return a value that fits a schema; ``root`` holds the definitions it refers to."""
    schema = schema or {}
    if "$ref" in schema:
        definition = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            definition = definition[step]
        return _example(definition, root)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    for combined in ("anyOf", "oneOf", "allOf"):
        if combined in schema:
            return _example(schema[combined][0], root)
    kind = schema.get("type", "string")
    if kind == "object":
        properties = (schema.get("properties") or {}).items()
        return {name: _example(inner, root) for name, inner in properties}
    if kind == "array":
        return [_example(schema["items"], root)] if schema.get("items") else []
    return _EXAMPLES.get(kind, "example")


def _chat_head(answer: Answer, suffix: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": f"chat.completion{suffix}",
        "created": answer.created,
        "model": answer.model,
    }


def _text_chunk(answer: Answer, text: str, finish_reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
    head = {"id": f"cmpl-{answer.id}", "object": "text_completion", "created": answer.created}
    return {**head, "model": answer.model, "choices": [choice]}


def _chat_tool_call(answer: Answer) -> dict[str, Any]:
    function = {"name": answer.tool, "arguments": answer.arguments}
    return {"id": f"call_{answer.id}", "type": "function", "function": function}


def _finish_reason(answer: Answer) -> str:
    return "tool_calls" if answer.tool else "stop"


def _chat_usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _responses_usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _responses_item(answer: Answer) -> dict[str, Any]:
    if answer.tool:
        return {
            "id": f"fc_{answer.id}",
            "type": "function_call",
            "call_id": f"call_{answer.id}",
            "name": answer.tool,
            "arguments": answer.arguments,
            "status": "completed",
        }
    part = {"type": "output_text", "text": answer.text, "annotations": []}
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _begun(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"arguments": ""} if "arguments" in item else {"content": []}
    return {**item, **empty, "status": "in_progress"}
