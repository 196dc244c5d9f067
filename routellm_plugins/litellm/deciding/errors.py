"""The errors that LiteLLM answers to clients with a status and one line."""

from __future__ import annotations

import httpx
from litellm.exceptions import BadRequestError, PermissionDeniedError


def bad_request(model: str, message: object) -> BadRequestError:
    """Return the error that LiteLLM answers with status 400."""
    return BadRequestError(message=str(message), model=model, llm_provider="routellm")


def paused(model: str) -> PermissionDeniedError:
    """Return the error that LiteLLM answers for a model that an admin has paused."""
    request = httpx.Request("POST", "https://github.com/BerriAI/litellm")  # as LiteLLM has it
    response = httpx.Response(403, request=request)
    return PermissionDeniedError(
        message="Model is blocked", model=model, llm_provider="", response=response
    )
