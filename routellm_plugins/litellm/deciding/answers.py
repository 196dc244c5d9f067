"""Who gave the answers in a conversation, for one from which the human's words were trimmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from litellm.types.utils import ModelResponse

from routellm_core import Tier
from routellm_core.policy.conversations import names_of_answer, note_answer, tier_of_answer
from routellm_core.prompt.turns import text_of

from ..reporting.routed_request import buckets, routed_request


def tier_of_answers(alias: str, messages: Sequence[Any], request: Mapping[str, Any]) -> Tier | None:
    """Return the tier that the last answer in a conversation is known to come from.

    Args:
        alias: the model asked for.
        messages: the conversation, in OpenAI's chat or responses form, or Anthropic's.
        request: its body.
    """
    scope = scope_of(alias, request)
    return next(filter(None, (author_of(each, scope) for each in reversed(messages))), None)


def author_of(message: object, scope: Iterable[str]) -> Tier | None:
    """Return the tier that a message of a conversation is known to come from.

    Args:
        message: any.
        scope: of ``scope_of``.
    """
    return tier_of_answer(_names(message, scope)) if _is_answer(message) else None


def scope_of(alias: str, request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells apart the answers to one caller of an alias."""
    keys = (bucket.get("user_api_key_hash") for bucket in buckets(request))
    return alias, str(next(filter(None, keys), None))


def note_answers(kwargs: Mapping[str, Any], response: Any) -> None:
    """Remember where a routed request's answer came from.

    Args:
        kwargs: what LiteLLM hands to a callback that logs a success.
        response: the answer.
    """
    params = kwargs.get("litellm_params")
    if not isinstance(params, Mapping):
        return
    routed = routed_request(params)
    tier = routed.served_by(params) if routed is not None else None
    if routed is None or tier is None:
        return
    scope = scope_of(routed.alias, params)
    for answer in _answers_in(response):
        note_answer(_names(answer, scope), tier)


def _answers_in(response: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the messages, or the items of the responses API, that a response brings."""
    if isinstance(response, ModelResponse):
        # Turning the whole answer into mappings takes ten times as long.
        for choice in response.choices:
            message = getattr(choice, "message", None)
            if message is not None:
                called = getattr(message, "tool_calls", None) or ()
                calls = [{"id": getattr(call, "id", None)} for call in called]
                yield {"role": "assistant", "content": message.content, "tool_calls": calls}
        return
    content = response.model_dump() if hasattr(response, "model_dump") else response
    if not isinstance(content, Mapping):
        return
    choices = content.get("choices")
    items = [choice.get("message") for choice in choices] if choices else content.get("output")
    for item in items or [content]:
        if _is_answer(item):
            yield item


def _is_answer(message: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(message, Mapping) and (
        message.get("role") == "assistant" or message.get("type") == "function_call"
    )


def _names(answer: Mapping[str, Any], scope: Iterable[str]) -> list[str]:
    content = answer.get("content")
    return names_of_answer(text_of(content), _calls(answer, content), scope)


def _calls(answer: Mapping[str, Any], content: object) -> Iterator[str]:
    """Yield the ids of the calls of tools in an answer, whichever API it is of."""
    if answer.get("type") == "function_call":
        yield str(answer.get("call_id") or "")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and part.get("type") == "tool_use":
            yield str(part.get("id") or "")
    called = answer.get("tool_calls")
    for call in called if isinstance(called, list) else ():
        if isinstance(call, Mapping):
            yield str(call.get("id") or "")
