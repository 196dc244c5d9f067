"""Which conversation a request belongs to, and which model has answered in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litellm.responses.utils import ResponsesAPIRequestUtils

from routellm_core import Tier, scored_text
from routellm_core.policy.conversations import session_of

from ..config.routes import Route
from ..reporting.routed_request import buckets
from .messages import system_messages

_GENERATED = "litellm_session_id_generated"
"""Marks a session id that LiteLLM made up for this one request."""


def tier_of_previous(
    previous: object, route: Route, entries: Iterable[Mapping[str, Any]]
) -> Tier | None:
    """Return the tier that gave the response which a request continues.

    Only the provider that gave it knows that response, so the request must go there.

    Args:
        previous: the responses API's ``previous_response_id``.
        route: the route of the model asked for.
        entries: the Router's model list.

    Returns:
        None for a request that continues nothing, or the response of another model.
    """
    model_id = entry_of_response(previous)
    if model_id is None:
        return None
    names = (
        e.get("model_name") for e in entries if (e.get("model_info") or {}).get("id") == model_id
    )
    return route.tier_of(next(names, None))


def entry_of_response(response: object) -> str | None:
    """Return the id of the entry that gave a response.

    Args:
        response: its id, as LiteLLM's Router gives it.

    Returns:
        None if the id does not say so.
    """
    if not isinstance(response, str):
        return None
    return ResponsesAPIRequestUtils.get_model_id_from_response_id(response)


def session_of_request(
    alias: str, messages: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str | None, bool]:
    """Return a name for the conversation, of this alias and caller only, and whether it is by the
    session id that the client sent.

    That is LiteLLM's session id where the client sent one (``x-litellm-session-id``,
    ``litellm_session_id`` or ``metadata.session_id``), else a digest of the conversation's
    beginning: system prompt, names of the tools and first text of the human.

    Args:
        alias: the model asked for.
        messages: the conversation, in OpenAI's chat or responses form.
        kwargs: the request.

    Returns:
        None for a name if the client sent no session id and the human wrote nothing.
    """
    metadata: dict[str, Any] = {}
    for bucket in buckets(kwargs):
        metadata = {**bucket, **metadata}  # the first is LiteLLM's own where there are two
    caller = (alias, str(metadata.get("user_api_key_hash")), str(kwargs.get("user")))
    given = kwargs.get("litellm_session_id") or metadata.get("session_id")
    if given and not metadata.get(_GENERATED):
        return session_of("", str(given), ("session id", *caller)), True
    first = next((text for message in messages if (text := scored_text([message]))), None)
    if first is None:
        return None, False
    system = [str(message["content"]) for message in system_messages(kwargs)]
    for message in messages:
        if isinstance(message, Mapping) and message.get("role") in ("system", "developer"):
            system.append(str(message.get("content")))
    names = sorted(_names(kwargs.get("tools")))
    return session_of("\n".join(system), first, (*caller, *names)), False


def begins(messages: Iterable[Any]) -> bool:
    """Whether no model has answered in a conversation.

    Args:
        messages: the conversation, in OpenAI's chat or responses form.
    """
    return all(
        isinstance(message, Mapping) and message.get("role") in ("user", "system", "developer")
        for message in messages
    )


def _names(tools: object) -> Iterable[str]:
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, Mapping):
            function = tool.get("function")
            named = function if isinstance(function, Mapping) else tool
            yield str(named.get("name"))
