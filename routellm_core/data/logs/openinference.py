"""OpenInference's spans of calls of models, which LlamaIndex's and LangChain's users log with Arize
Phoenix: their attributes and messages.

The name of an attribute is a path, ``llm.input_messages.0.message.role``. Exporters leave it whole,
or write parts of it as objects and lists within each other; all are read alike.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from .json_values import mapped, parsed

Row = Mapping[str, Any]

_COLUMN = "attributes."
"""What the names of columns of Phoenix's data frames begin with that are attributes."""

_REDACTED = "__REDACTED__"
"""What stands in place of texts with OPENINFERENCE_HIDE_INPUT_TEXT."""

_UNKNOWN = "UNKNOWN"
"""What Phoenix has for the kind of other spans."""


def attributes_in(row: Row, attributes: Row) -> dict[str, Any]:
    """Return the attributes of a span as objects within each other, as far as their first parts.

    Args:
        row: the span, or a row of Phoenix's data frame, where attributes are columns.
        attributes: of the span.
    """
    columns = {
        key.removeprefix(_COLUMN): value for key, value in row.items() if key.startswith(_COLUMN)
    }
    return _within({**attributes, **columns})


def attribute(attributes: Row, path: str) -> Any:
    """Return an attribute, or an object of those whose names go on; None if there is none."""
    found: Any = attributes
    for name in path.split("."):
        found = _within(found).get(name)
    return found


def kind_of(row: Row, attributes: Row) -> str | None:
    """Return what a span is, such as ``LLM``; None if it is not one of OpenInference's.

    Args:
        row: the span; Phoenix's API says it there alone.
        attributes: as ``attributes_in`` returns them.
    """
    kind = attribute(attributes, "openinference.span.kind") or row.get("span_kind")
    return kind.upper() if isinstance(kind, str) and kind.upper() != _UNKNOWN else None


def messages_of(attributes: Row) -> list[Any]:
    """Return the messages of a call in OpenAI's form, or its prompt as one; none if it has none."""
    given = _items(attribute(attributes, "llm.input_messages"))
    if given:
        return [_message(each) for each in given]
    prompts = _items(attribute(attributes, "llm.prompts"))
    if len(prompts) != 1:  # the tokens are those of all of them
        return []
    (prompt,) = prompts
    text = prompt if isinstance(prompt, str) else attribute(_within(prompt), "prompt.text")
    return [{"role": "user", "content": _said(text)}]


def metadata_of(attributes: Row) -> Row:
    """Return what an application noted beside a call."""
    return _within(attribute(attributes, "metadata"))


def asked_model(attributes: Row) -> Any:
    """Return the model that was asked for: the one that answered may have a longer name."""
    asked = _within(attribute(attributes, "llm.invocation_parameters"))
    given = (asked.get("model"), asked.get("model_name"), attribute(attributes, "llm.model_name"))
    return next((each for each in given if isinstance(each, str)), None)


def answer_of(attributes: Row) -> Row:
    """Return the response of a call, where it was logged as an object."""
    return mapped(parsed(attribute(attributes, "output.value")))


def usage_of(attributes: Row) -> dict[str, Any]:
    """Return the tokens of a call by OpenAI's names, as far as they are known."""
    details = "llm.token_count.prompt_details"
    names = {
        "prompt_tokens": "llm.token_count.prompt",
        "completion_tokens": "llm.token_count.completion",
        "cached_tokens": f"{details}.cache_read",
        "cache_write_tokens": f"{details}.cache_write",
    }
    found = {name: attribute(attributes, path) for name, path in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def columns_of(row: Row, attributes: Row) -> dict[str, Any]:
    """Return the span with its model, session and costs by the names of other logs."""
    return {
        **row,
        "route": asked_model(attributes),
        "sessionId": attribute(attributes, "session.id"),
        "spend": attribute(attributes, "llm.cost.total"),
    }


def _message(value: Any) -> Row:
    message = _within(_within(value).get("message"))
    parts = [_part(each) for each in _items(message.get("contents"))]
    return {"role": message.get("role"), "content": parts or _said(message.get("content"))}


def _part(value: Any) -> Row:
    part = _within(_within(value).get("message_content"))
    return {"type": part.get("type"), "text": _said(part.get("text"))}


def _said(text: Any) -> Any:
    return "" if text == _REDACTED else text


def _within(value: Any) -> dict[str, Any]:
    """Return the values of an object by the first parts of their names; names that go on give an
    object of the rest. What is None, as in a struct of parquet, is left out.
    """
    value = _written(value)
    found: dict[str, Any] = {}
    for name, each in value.items() if isinstance(value, Mapping) else ():
        first, goes_on, rest = str(name).partition(".")
        if each is None:
            continue
        if goes_on:
            within = found.setdefault(first, {})
            if isinstance(within, dict):
                within[rest] = each
        elif isinstance(each, Mapping):
            known = found.get(first)
            found[first] = {**each, **(known if isinstance(known, dict) else {})}
        else:
            found[first] = each
    return found


def _items(value: Any) -> list[Any]:
    """Return a list, also one whose places are names."""
    value = _written(value)
    if isinstance(value, list):
        return value
    places = _within(value)
    return [places[at] for at in sorted(filter(str.isdecimal, places), key=int)]


def _written(value: Any) -> Any:
    """Return the object or list that a text says in JSON or, as pandas writes it into CSV, in
    Python.
    """
    found = parsed(value)
    if isinstance(found, str) and found.startswith(("[", "{")):
        try:
            return ast.literal_eval(found)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            return found
    return found
