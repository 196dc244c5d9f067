"""Keep the steps of a tool loop on one model where the upstream stores the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from litellm.responses.utils import ResponsesAPIRequestUtils

from routellm_core import Decision

from .settings import RouteSettings


def stay_on_model(
    decision: Decision,
    settings: RouteSettings,
    request_kwargs: Mapping[str, Any],
    entries: Iterable[Mapping[str, Any]],
) -> Decision:
    """Return the decision, with the tier of the response that this request continues.

    With the responses API's ``previous_response_id``, a step that returns a tool's result holds
    nothing else: no words to score, and a conversation that only one upstream knows.

    Args:
        decision: what was decided from the request's own words.
        settings: of the route.
        request_kwargs: the request.
        entries: the Router's model list.
    """
    previous = request_kwargs.get("previous_response_id")
    if decision.cause != "no_text" or not isinstance(previous, str):
        return decision
    model_id = ResponsesAPIRequestUtils.get_model_id_from_response_id(previous)
    for entry in entries:
        if model_id is not None and (entry.get("model_info") or {}).get("id") == model_id:
            if entry.get("model_name") == settings.strong:
                return replace(decision, tier="strong")
            if entry.get("model_name") == settings.weak:
                return replace(decision, tier="weak")
    return decision
