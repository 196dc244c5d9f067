"""The same calls in each form in which teams log them."""

from __future__ import annotations

import json
from typing import Any

from routellm_core.data.logs.call_forms import LoggedCall

ASK = "Why is the sky blue?"
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": [{"type": "text", "text": ASK}]},
]
TURNS = ("Hello", ASK)


def spend_log(**changes: Any) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs as it is exported; JSON columns as text."""
    return {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "startTime": "2026-11-01T10:00:00Z",
        "model": "gpt-4o-2024-08-06",
        "model_group": "gpt-4o",
        "prompt_tokens": 21,
        "completion_tokens": 34,
        "spend": 0.0004,
        "messages": "{}",
        "response": "{}",
        "proxy_server_request": json.dumps({"model": "gpt-4o", "messages": CHAT}),
        **changes,
    }


def parts(role: str, *contents: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(contents)}


SPOKEN = [
    parts("user", {"type": "text", "content": "Hello"}),
    parts("assistant", {"type": "tool_call", "id": "1", "name": "search", "arguments": {}}),
    parts("tool", {"type": "tool_call_response", "id": "1", "response": "SECRET"}),
    parts("user", {"type": "text", "content": ASK}),
]
SPAN = {
    "name": "chat gpt-4o",
    "attributes": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 21,
        "gen_ai.usage.output_tokens": 34,
        "gen_ai.input.messages": json.dumps(SPOKEN),
    },
}
OTLP = {
    "resourceSpans": [
        {
            "scopeSpans": [
                {
                    "spans": [
                        {"name": "GET /", "attributes": []},
                        {
                            "name": "chat",
                            "attributes": [
                                {
                                    "key": "gen_ai.input.messages",
                                    "value": {"stringValue": json.dumps(SPOKEN)},
                                },
                                {
                                    "key": "gen_ai.response.model",
                                    "value": {"stringValue": "gpt-4o"},
                                },
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "21"}},
                                {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "34"}},
                            ],
                        },
                    ]
                }
            ]
        }
    ]
}


def otlp_logs(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def message_record(role: str, content: str) -> dict[str, Any]:
    """A message as an event of its own, as before version 1.37 of the conventions."""
    pairs = [{"key": "content", "value": {"stringValue": content}}]
    name = "gen_ai.choice" if role == "choice" else f"gen_ai.{role}.message"
    return {
        "timeUnixNano": "1793613600000000000",
        "eventName": name,
        "traceId": "t1",
        "spanId": "s1",
        "attributes": [{"key": "gen_ai.system", "value": {"stringValue": "openai"}}],
        "body": {"kvlistValue": {"values": pairs}},
    }


LANGFUSE = {
    "id": "o1",
    "trace_id": "t1",
    "type": "GENERATION",
    "provided_model_name": "gpt-4o",
    "usage_details": {"input": 21, "output": 34, "total": 55},
    "input": json.dumps(CHAT),
    "output": "SECRET",
}
FORMS: dict[str, tuple[dict[str, Any], LoggedCall]] = {
    "prompt": ({"prompt": ASK, "id": 3}, LoggedCall((ASK,))),
    "chat": ({"messages": CHAT}, LoggedCall(TURNS)),
    "chat with its answer": (
        {
            "messages": CHAT,
            "response": {
                "model": "gpt-4o",
                "usage": {"prompt_tokens": 21, "completion_tokens": 34},
            },
        },
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "spend log": (spend_log(), LoggedCall(TURNS, "gpt-4o", 21, 34)),
    "spend log, parsed": (
        spend_log(proxy_server_request={"input": ASK}, messages={}),
        LoggedCall((ASK,), "gpt-4o", 21, 34),
    ),
    "spend log with messages": (
        spend_log(proxy_server_request="{}", messages=json.dumps(CHAT)),
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "spend log with a text in its column of JSON": (
        spend_log(proxy_server_request="{}", messages=json.dumps(json.dumps(CHAT))),
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "chat with a text that looks like JSON": (
        {"input": '"[sic]" means what?'},
        LoggedCall(('"[sic]" means what?',)),
    ),
    "span": (SPAN, LoggedCall(TURNS, "gpt-4o", 21, 34)),
    "span with an event": (
        {
            "attributes": {"gen_ai.request.model": "gpt-4o"},
            "events": [{"attributes": {"gen_ai.input.messages": SPOKEN}}],
        },
        LoggedCall(TURNS, "gpt-4o"),
    ),
    "span with an event of all messages, as text": (
        {
            "attributes": {
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.prompt_tokens": 21,
                "gen_ai.usage.completion_tokens": 34,
            },
            "events": [
                {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": json.dumps(CHAT)}}
            ],
        },
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "span with an event for each message": (
        {
            "attributes": {"gen_ai.request.model": "gpt-4o"},
            "events": [
                {"name": "gen_ai.system.message", "attributes": {"content": "Be brief."}},
                {"name": "gen_ai.user.message", "attributes": {"content": "Hello"}},
                {"name": "gen_ai.assistant.message", "attributes": {"content": "Hello!"}},
                {
                    "name": "gen_ai.user.message",
                    "attributes": {"gen_ai.event.content": json.dumps({"content": ASK})},
                },
                {"name": "gen_ai.choice", "attributes": {"message": "SECRET"}},
            ],
        },
        LoggedCall(TURNS, "gpt-4o"),
    ),
    "OTLP log record of a call": (
        otlp_logs(
            {
                "eventName": "gen_ai.client.inference.operation.details",
                "attributes": [
                    {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "21"}},
                    {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "34"}},
                    {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(SPOKEN)}},
                ],
            }
        ),
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "OTLP log records of messages": (
        otlp_logs(
            message_record("system", "Be brief."),
            message_record("user", "Hello"),
            message_record("assistant", "Hello!"),
            message_record("user", ASK),
            message_record("choice", "SECRET"),
        ),
        LoggedCall(TURNS),
    ),
    "span of indexed attributes, parts as text": (
        {
            "attributes": {
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": json.dumps([{"type": "text", "text": ASK}]),
                "gen_ai.prompt.1.role": "assistant",
                "gen_ai.prompt.1.content": "Hello!",
                "gen_ai.prompt.2.role": "user",
                "gen_ai.prompt.2.content": "[1, 2]",
            }
        },
        LoggedCall((ASK, "[1, 2]")),
    ),
    "span of indexed attributes": (
        {
            "attributes": {
                "gen_ai.prompt.1.content": ASK,
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": "Hello",
            }
        },
        LoggedCall(TURNS),
    ),
    "OTLP": (OTLP, LoggedCall(TURNS, "gpt-4o", 21, 34)),
    "Langfuse": (LANGFUSE, LoggedCall(TURNS, "gpt-4o", 21, 34)),
    "Langfuse, camel case": (
        {
            "type": "GENERATION",
            "traceId": "t",
            "model": "gpt-4o",
            "usageDetails": {"input": 21, "output": 34},
            "input": {"messages": CHAT, "temperature": 0},
        },
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "Langfuse's API": (
        {"data": [LANGFUSE], "meta": {"page": 1}},
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "Langfuse, a trace with its observations": (
        {"id": "t1", "input": CHAT, "observations": [LANGFUSE]},
        LoggedCall(TURNS, "gpt-4o", 21, 34),
    ),
    "Langfuse with a bare text": ({"type": "generation", "input": ASK}, LoggedCall((ASK,))),
}
