"""The call of the group that did not answer: the same request, in the background.

It is made by LiteLLM's own functions, and not by the Router: a failure there would cool down a
deployment that serves users, and count towards its limits. Without ``no-log`` the callbacks of the
proxy would log it as a user's request.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import litellm
from litellm.constants import OPENAI_CHAT_COMPLETION_PARAMS

from routellm_core import Tier
from routellm_core.rules.prices import price_of
from routellm_core.traffic.shadow.settings import ShadowSettings
from routellm_core.traffic.shadow.shadow import OtherCall
from routellm_core.traffic.store.kept import Answer

from ..config.routes import Route
from ..groups.router_access import RouterAccess
from ..reporting.routed_request import team_of
from .limits import weights_of

Prices = Mapping[str, float]
"""Dollars for a million tokens: ``input``, ``cached`` and ``output``."""

_CHAT = frozenset(OPENAI_CHAT_COMPLETION_PARAMS) - {
    *("model", "messages", "stream", "stream_options", "user", "metadata", "store", "n"),
    *("extra_headers", "max_retries", "timeout"),
}
_RESPONSES = frozenset(
    (
        *("instructions", "tools", "tool_choice", "temperature", "top_p", "max_output_tokens"),
        *("reasoning", "text", "parallel_tool_calls", "truncation"),
    )
)
_MESSAGES = frozenset(
    (
        *("system", "tools", "tool_choice", "temperature", "top_p", "top_k", "max_tokens"),
        *("stop_sequences", "thinking"),
    )
)
_TRANSLATORS = (  # it was moved
    "litellm.llms.anthropic.pass_through.adapters.transformation",
    "litellm.llms.anthropic.experimental_pass_through.adapters.transformation",
)

_APART: dict[str, Any] = {
    "stream": False,
    "no-log": True,
    "cache": {"no-cache": True, "no-store": True},
    "num_retries": 0,
    "max_retries": 0,
    "drop_params": True,
}
"""What keeps the call apart from those of users, for every kind of call."""

_NOT_SENT = ("rpm", "tpm", "tags", "weight", "order", "guardrails", "max_parallel_requests")
_BYTES_PER_TOKEN = 4
_ANSWER_TOKENS = 500
"""Tokens of an answer whose length no parameter limits, for an estimate of its cost."""


_CHATS = ("acompletion", "completion")
_COMPLETIONS = ("atext_completion", "text_completion")
_RESPONSE = ("aresponses", "responses")
_PARAMETERS = {
    **dict.fromkeys((*_CHATS, *_COMPLETIONS), _CHAT),
    **dict.fromkeys(_RESPONSE, _RESPONSES),
    "anthropic_messages": _MESSAGES,
}
"""What of a request is for any model, by LiteLLM's name of the kind of call."""


def any_can_answer(call_type: object, messages: Any, body: Mapping[str, Any]) -> bool:
    """Return whether another provider can answer a request.

    Args:
        call_type: LiteLLM's name of the kind of call.
        messages: the conversation as the served group got it, after guardrails.
        body: the request as the client wrote it, for its parameters.
    """
    if body.get("previous_response_id") or not messages:
        return False
    if call_type in _COMPLETIONS:
        return len(messages) == 1 and isinstance(messages[0].get("content"), str)
    return call_type in _PARAMETERS


async def other_call(
    call_type: str,
    messages: Any,
    body: Mapping[str, Any],
    route: Route,
    tier: Tier,
    prices: Prices | None,
    access: RouterAccess,
    timeout_s: float,
    request: dict[str, Any],
) -> OtherCall | None:
    """Return the call of a route's group in the background.

    Args:
        call_type: as ``any_can_answer`` takes it, and so are the next two.
        messages: the conversation.
        body: the request.
        route: the route.
        tier: of the group that is called.
        prices: what its tokens cost; None if that is not known.
        access: the Router.
        timeout_s: time that the call may take, in seconds.
        request: as LiteLLM picks a deployment by it.

    Returns:
        None if the group has no deployment that can be called for this request.
    """
    group = route.settings.group(tier)
    given, parameters = copy.deepcopy((messages, _taken(body, _PARAMETERS[call_type])))
    entries = await _callable(route, tier, given, access, request)
    if not entries:
        return None
    picked = random.choices(entries, weights_of(request, group, entries))[0]
    params = {**access.default_params(), **picked["litellm_params"]}
    chosen = {k: v for k, v in params.items() if k not in _NOT_SENT}
    size = _size((given, parameters))

    def make() -> Answer:
        function, arguments = _as_call(call_type, given, parameters)
        start = time.perf_counter()
        with _own_failure() as besides:
            whole = {**chosen, **arguments, **_APART, **besides, "timeout": timeout_s}
            response = function(**whole)
        elapsed_ms = (time.perf_counter() - start) * 1000
        return answer_of(tier, group, response.model_dump(), prices, elapsed_ms)

    return OtherCall(tier, group, make, size, _estimate(parameters, size, prices))


async def _callable(
    route: Route, tier: Tier, messages: Any, access: RouterAccess, request: dict[str, Any]
) -> list[Mapping[str, Any]]:
    """Return the deployments that may be called."""
    group, team_id = route.settings.group(tier), team_of(request)
    try:
        found = await access.candidates(group, messages, request)
    except Exception:
        return []  # none is free, or may serve it
    ids = [(entry.get("model_info") or {}).get("id") for entry in found]
    return [
        entry
        for entry in access.serving_team(route.entries[tier], group, team_id)
        if (entry.get("model_info") or {}).get("id") in ids
        and "*" not in str((entry.get("litellm_params") or {}).get("model", "*"))
    ]


@contextmanager
def _own_failure() -> Iterator[Mapping[str, Any]]:
    """Enter a context in which a failure is not that of a user's request for LiteLLM; yields
    further arguments of the call.

    Without it a failed call is repeated as often as ``litellm.num_retries`` says, in spite of
    ``num_retries: 0``; that is set to None for the whole process; and the traceback is written out
    for callbacks, which takes longer than all else.
    """
    try:
        from litellm._internal_context import resent_on
    except ImportError:  # a LiteLLM that does not have it yet, and takes this for its Router's call
        retries = litellm.num_retries
        try:
            yield {"metadata": {"model_group": ""}}
        finally:
            litellm.num_retries = retries
        return
    with resent_on(lambda error: True):
        yield {}


def _as_call(
    call_type: str, messages: Any, parameters: Mapping[str, Any]
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return LiteLLM's function for a request, and its arguments but for the model's."""
    if call_type in _COMPLETIONS:
        return litellm.text_completion, {"prompt": messages[0]["content"], **parameters}
    if call_type in _RESPONSE:
        return litellm.responses, {"input": messages, "store": False, **parameters}
    if call_type == "anthropic_messages":
        return litellm.completion, _translated({"messages": messages, **parameters})
    return litellm.completion, {"messages": messages, **parameters}


def prices_of(
    route: Route, tier: Tier, access: RouterAccess, settings: ShadowSettings
) -> Prices | None:
    """Return what a group's tokens cost: as ``shadow`` says, or as LiteLLM knows; None if
    neither does.
    """
    given = settings.strong_price if tier == "strong" else settings.weak_price
    if given is not None:
        price = price_of(given)
        return {"input": price.given, "cached": price.given, "output": price.answered}
    info = access.group_info(route.settings.group(tier))
    known = [info.get("input_cost_per_token"), info.get("output_cost_per_token")]
    if None in known:
        return None
    entries = access.serving(route.entries[tier])
    if not any(known) and not all(map(_says_price, entries)):
        return None  # LiteLLM reports 0 for a price that nobody set
    cached = [_cached_price(entry) for entry in entries]
    lowest = min((each for each in cached if each is not None), default=known[0])
    read, written = (float(each or 0.0) * 1e6 for each in known)
    return {"input": read, "cached": float(lowest or 0.0) * 1e6, "output": written}


def answer_of(
    tier: Tier,
    model: str | None,
    response: Mapping[str, Any],
    prices: Prices | None,
    elapsed_ms: float | None,
) -> Answer:
    """Return what a response in any of the APIs' forms says.

    Args:
        tier: who gave it.
        model: its name, as the store is to know it.
        response: the response as a mapping.
        prices: what its tokens cost; None if that is not known.
        elapsed_ms: the time it took.
    """
    usage = response.get("usage") or {}
    given = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    if not given and not written:  # a stream without usage
        given = written = None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached = details.get("cached_tokens")
    cost = None
    if prices and given is not None:
        read = min(cached or 0, given)
        cost = (given - read) * prices["input"] + read * prices["cached"]
        cost = (cost + (written or 0) * prices["output"]) / 1e6
    return Answer(
        tier, model, text_of(response), None, None, given, cached, written, cost, elapsed_ms
    )


def text_of(response: Mapping[str, Any]) -> str | None:
    """Return the words of a response, or its calls of tools as JSON."""
    choices = response.get("choices")
    if choices:
        message = choices[0].get("message") or {}
        text = message.get("content") or choices[0].get("text")
        return text or _as_json(message.get("tool_calls"))
    items = response.get("output") or [response]
    parts = [part for item in items for part in (item.get("content") or [] if item else [])]
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    words = "\n".join(text for text in texts if isinstance(text, str))
    calls = [each for each in (*items, *parts) if _is_call(each)]
    return words or _as_json(calls)


def _is_call(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("type") in ("function_call", "tool_use")


def _as_json(value: Any) -> str | None:
    return json.dumps(value, default=str) if value else None


def _taken(body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: body[name] for name in names if body.get(name) is not None}


def _translated(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request to Anthropic's API in OpenAI's form, by LiteLLM's own translation.

    Raises:
        ImportError: this LiteLLM has it in another place.
    """
    for path in _TRANSLATORS:
        try:
            adapter: Any = import_module(path).AnthropicAdapter()
        except ImportError:
            if path == _TRANSLATORS[-1]:
                raise
        else:
            break
    translated = adapter.translate_completion_input_params({"model": "any", **request})
    return {k: v for k, v in dict(translated).items() if k not in ("model", "stream")}


def _estimate(parameters: Mapping[str, Any], size: int, prices: Prices | None) -> float | None:
    """Return about what a call costs, in dollars."""
    if prices is None:
        return None
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    limit = next((parameters[name] for name in limits if parameters.get(name)), _ANSWER_TOKENS)
    written = min(limit, _ANSWER_TOKENS) if isinstance(limit, int) else _ANSWER_TOKENS
    return (size / _BYTES_PER_TOKEN * prices["input"] + written * prices["output"]) / 1e6


def _size(value: Any) -> int:
    """Return about how many bytes a request's texts have, without copying them."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, Sequence):
        return sum(map(_size, value))
    return 8


def _says_price(entry: Mapping[str, Any]) -> bool:
    places = (entry.get("litellm_params") or {}, entry.get("model_info") or {})
    return any(place.get("input_cost_per_token") is not None for place in places)


def _cached_price(entry: Mapping[str, Any]) -> float | None:
    """Return the price of a token that is read from the provider's cache, if it is known."""
    model = str((entry.get("litellm_params") or {}).get("model"))
    known = litellm.model_cost.get(model) or litellm.model_cost.get(model.partition("/")[2]) or {}
    price = known.get("cache_read_input_token_cost")
    return float(price) if price is not None else None
