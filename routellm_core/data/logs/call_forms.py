"""The forms in which calls of language models are logged, recognised by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from ...prompt.reading import system_text
from ...prompt.turns import human_turns
from . import langfuse, openinference
from .call_facts import CallFacts, counts_of, facts_of, tokens_of
from .json_values import listed, mapped, parsed
from .logged_decisions import logged_decision
from .logged_ids import AGAIN, OF_LITELLM, SeenIds
from .logged_twice import LoggedTwice
from .nested_spans import NestedSpans, is_span
from .telemetry import is_error, is_otlp, messages_of, spans_of, with_events


@dataclass(frozen=True)
class LoggedCall:
    """A call of a language model."""

    turns: tuple[str, ...]
    """What the human wrote, oldest first; the last is not blank."""
    model: str | None = None
    """Which model answered."""
    input_tokens: int | None = None
    """What the model read, from a cache too."""
    output_tokens: int | None = None
    read_facts: Callable[[], CallFacts] = field(default=CallFacts, compare=False, repr=False)
    """Reads ``facts``."""
    messages: Sequence[Any] = field(default=(), compare=False, repr=False)
    """In OpenAI's form, as they were logged."""

    @cached_property
    def facts(self) -> CallFacts:
        """What the log says beside that; read when it is asked for, which takes longer than all
        the rest.
        """
        return self.read_facts()


Row = Mapping[str, Any]

_NO_FORM = (
    "no prompt: a row has 'prompt', 'messages', or the columns of LiteLLM's spend logs, of "
    "OpenTelemetry's, of Phoenix's or of Langfuse's exports"
)
_NO_TEXT = "the last message of the human has no text, or there is none"
_NOT_STORED = (
    "no prompt in the row: LiteLLM stores it with store_prompts_in_spend_logs: true, and leaves it "
    "out of /spend/logs/v2"
)
_NO_MESSAGES = "a span without gen_ai.input.messages, or events of its messages"
_NO_INPUT = (
    "an LLM span without llm.input_messages or one prompt in llm.prompts; of spans within each "
    "other, one has them"
)
_NO_GENERATION = "an observation of Langfuse that is not a generation"
_FAILED = "a call that failed, by its status"
_NO_CHAT = "no chat but another kind of call"
_OF_AGENT = "a span of an agent or a tool, whose calls of a model have spans of their own"
_SAME_CALL = "a span around or within another one of the same call"
_TWICE = (
    "a call that two instrumentations logged side by side: a span of another name asked the same "
    "model the same at that time"
)

_OTHER_CALLS = ("embedding", "image", "transcription", "speech", "rerank", "moderation", "ocr")
"""What is in the name that LiteLLM and OpenTelemetry give to calls that generate no text."""

_OTHER_SPANS = frozenset(
    (
        *("CHAIN", "AGENT", "TOOL", "RETRIEVER", "EMBEDDING", "RERANKER", "GUARDRAIL"),
        *("EVALUATOR", "PROMPT", "DECISION"),
    )
)
"""OpenInference's kinds of spans that are no call of a model."""

_OF_AGENTS = ("agent", "tool", "workflow")
"""What is in OpenTelemetry's names of operations that call models, or are called by them."""

_SYSTEMS = ("system", "instructions")
"""Where Anthropic's and OpenAI's Responses API have the system prompt."""

_APART = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Anthropic's counts of tokens that are not in its ``input_tokens``."""


class SeenSpans:
    """The spans of the rows that were read, so that a call is counted once."""

    def __init__(self) -> None:
        self._nested, self._twice = NestedSpans(), LoggedTwice()
        self._ids = SeenIds()

    def of_same_call(self, span: Row, found: LoggedCall | str) -> str | None:
        """Return in which way a span is of a call that was read before; None if it is not.

        Args:
            span: of a model, or a row of LiteLLM's spend logs or of Langfuse's; none is any other
                row.
            found: the call in it, or why there is none.
        """
        is_call = isinstance(found, LoggedCall)
        if is_call and (self._nested.has_read(span) or self._ids.has(span)):
            return AGAIN
        if not is_span(span) or not (is_call or found == _NO_INPUT):
            return None
        if self._nested.has_call(span, is_call=is_call):
            return _SAME_CALL
        if not isinstance(found, LoggedCall):
            return None
        is_twice = self._twice.has_call(span, found.turns, found.facts.route)
        return _TWICE if is_twice else None


def calls_in(row: Row, spans: SeenSpans | None = None) -> Iterator[LoggedCall | str]:
    """Yield the calls that a row holds; for one that cannot be used, why, without its text.

    Args:
        row: in any form.
        spans: those of the rows before; a call that is among them is not yielded again.
    """
    spans = SeenSpans() if spans is None else spans
    for each, found in _calls(row):
        yield spans.of_same_call(each, found) or found


def _calls(row: Row) -> Iterator[tuple[Row, LoggedCall | str]]:
    """Yield the calls of a row, each with the row or the part of it that holds it."""
    if isinstance(row.get("prompt"), str):
        yield {}, _prompt(row)
    elif is_otlp(row):
        for each in spans_of(row):
            yield each, _span(each)
    elif rows := _page(row.get("observations")):
        for each in rows:
            yield each, _one(each)
    else:
        found = _one(row)
        rows = _page(row.get("data")) if found == _NO_FORM else []
        if not rows:
            yield row, found
        for each in rows:
            yield each, _one(each)


def _prompt(row: Row) -> LoggedCall | str:
    prompt = row["prompt"]
    if not prompt.strip():
        return _NO_TEXT
    messages = [{"role": "user", "content": prompt}]
    usage = _usage({**row, **mapped(row.get("usage"))})
    return _logged((prompt,), messages, row, usage, row.get("model"), {})


def _one(row: Row) -> LoggedCall | str:
    """Return the call of a row that holds one."""
    forms = (read for key, read in _FORMS.items() if row.get(key) is not None)
    return next((read(row) for read in forms), _NO_FORM)


def _page(value: Any) -> list[Row]:
    """Return the rows that an API answers with at once."""
    return [each for each in listed(value) if isinstance(each, Mapping)]


def _left_out(row: Row) -> str | None:
    """Return why a call that LiteLLM logged is none that answered a prompt; None if it did."""
    if _is_other(row.get("call_type")):
        return _NO_CHAT
    # What comes of a failed call is a row of its own: a repeated call.
    return _FAILED if row.get("status") == "failure" else None


def _is_other(kind: object) -> bool:
    return any(other in str(kind).lower() for other in _OTHER_CALLS)


def _litellm(row: Row) -> LoggedCall | str:
    if why := _left_out(row):
        return why
    body = mapped(row.get("proxy_server_request"))
    found = _messages(body) or listed(parsed(row.get("messages")))
    if not found:
        return _NOT_STORED if OF_LITELLM.intersection(row) else _NO_FORM
    metadata = mapped(row.get("metadata"))
    usage = {**mapped(metadata.get("usage_object"))}
    usage.update(mapped(metadata.get("additional_usage_values")))
    usage.update(_usage(mapped(row.get("usage"))))  # a log with the ids of requests
    for key in ("prompt_tokens", "completion_tokens"):
        usage[key] = usage.get(key) if row.get(key) is None else row[key]
    model = row.get("model_group") or row.get("model")
    alias = (logged_decision(row) or {}).get("alias")
    facts = row if alias is None else {**row, "model_group": alias}  # else of who answered
    return _call(found, facts, usage, model, metadata=metadata)


def _openai(row: Row) -> LoggedCall | str:
    if why := _left_out(row):  # LiteLLM's callbacks log such rows
        return why
    response = parsed(row.get("response"))
    answer = response if isinstance(response, Mapping) else {}
    usage = _usage(mapped(row.get("usage")) or mapped(answer.get("usage")))
    model = row.get("model") or answer.get("model")
    found = _with_system(row, listed(parsed(row["messages"])))
    return _call(found, {**answer, **row}, usage, model, metadata=mapped(row.get("metadata")))


def _langfuse(row: Row) -> LoggedCall | str:
    if str(row.get("type", "GENERATION")).upper() != "GENERATION":
        return _NO_GENERATION
    if str(row.get("level")).upper() == "ERROR":
        return _FAILED
    metadata = mapped(row.get("metadata"))
    usage = _usage(langfuse.usage_of(row))  # a log of OpenAI's Responses API has this form too
    found = _with_system(row, _messages(parsed(row["input"])))
    model = langfuse.model_of(row)
    return _call(found, langfuse.columns_of(row), usage, model, metadata=metadata)


def _usage(usage: Row) -> Row:
    """Return the tokens of a call by OpenAI's older names. The Responses API and Anthropic's have
    others, and Anthropic's counts those of caches apart.
    """
    given = tokens_of(usage.get("input_tokens"))
    if given is None or usage.get("prompt_tokens") is not None:
        return usage
    if "input_tokens_details" not in usage:
        given += sum(tokens_of(usage.get(key)) or 0 for key in _APART)
    return {**usage, "prompt_tokens": given, "completion_tokens": usage.get("output_tokens")}


def _span(row: Row) -> LoggedCall | str:
    attributes = with_events(row)
    own = openinference.attributes_in(row, attributes)
    if kind := openinference.kind_of(row, own):
        return _openinference(kind, row, own)
    operation = attributes.get("gen_ai.operation.name")
    if _is_other(operation):
        return _NO_CHAT
    if any(of in str(operation).lower() for of in _OF_AGENTS):
        return _OF_AGENT
    messages = messages_of(row, attributes)
    if not messages:
        return _NO_MESSAGES
    if is_error(row):
        return _FAILED
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    usage = {
        **attributes,
        "prompt_tokens": _first(attributes, "gen_ai.usage", ("input_tokens", "prompt_tokens")),
        "completion_tokens": _first(
            attributes, "gen_ai.usage", ("output_tokens", "completion_tokens")
        ),
    }
    metadata = {
        key.removeprefix("metadata."): value
        for key, value in attributes.items()
        if key.startswith("metadata.")
    }
    route = attributes.get("litellm.model_group") or attributes.get("gen_ai.request.model")
    facts = {**row, **attributes, "route": route}
    return _call(messages, facts, usage, model, metadata=metadata)


def _openinference(kind: str, row: Row, attributes: Row) -> LoggedCall | str:
    if kind != "LLM":
        named = kind if kind in _OTHER_SPANS else "another kind"
        return f"a span that is no call of a model ({named})"
    messages = openinference.messages_of(attributes)
    if not messages:
        return _NO_INPUT
    if is_error(row):
        return _FAILED
    usage, facts = openinference.usage_of(attributes), openinference.columns_of(row, attributes)
    metadata = openinference.metadata_of(attributes)
    model = openinference.attribute(attributes, "llm.model_name")
    return _call(messages, facts, usage, model, metadata=metadata)


_FORMS: dict[str, Callable[[Row], LoggedCall | str]] = {
    "proxy_server_request": _litellm,
    "request_id": _litellm,
    "messages": _openai,
    "span_kind": _span,
    "attributes": _span,
    "input": _langfuse,
}
"""By the key that tells it, the most telling first."""


def _call(
    messages: Any, row: Row, usage: Row, model: Any, *, metadata: Row | None = None
) -> LoggedCall | str:
    turns = human_turns(messages)
    if not turns or not turns[-1].strip():
        return _NO_TEXT
    return _logged(turns, messages, row, usage, model, metadata or {})


def _logged(
    turns: tuple[str, ...], messages: Sequence[Any], row: Row, usage: Row, model: Any, metadata: Row
) -> LoggedCall:
    return LoggedCall(
        turns,
        model if isinstance(model, str) else None,
        *counts_of(usage.get("prompt_tokens"), usage.get("completion_tokens")),
        partial(facts_of, row, metadata, usage, model),
        messages,
    )


def _messages(value: Any) -> list[Any]:
    """Return the messages of a request's body, of a list of them, or of a bare text."""
    if isinstance(value, Mapping):
        given = next(
            (value[key] for key in ("messages", "input", "prompt") if value.get(key)), None
        )
        return _with_system(value, _messages(given))
    if isinstance(value, str):
        return [{"role": "user", "content": value}] if value.strip() else []
    return listed(value)


def _with_system(body: Row, messages: list[Any]) -> list[Any]:
    """Return messages with the system prompt first that some APIs have beside them."""
    given = (parsed(body.get(key)) for key in _SYSTEMS)
    system = next((each for each in given if each and isinstance(each, (str, list))), None)
    if system is None or not messages or system_text(messages[:1]):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _first(attributes: Row, prefix: str, names: Sequence[str]) -> Any:
    """Return the first of some attributes that is there."""
    found = (attributes.get(f"{prefix}.{name}") for name in names)
    return next((each for each in found if each is not None), None)
