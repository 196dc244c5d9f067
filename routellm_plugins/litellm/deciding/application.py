"""The callback for what an application's own ``litellm.Router`` routes."""

from __future__ import annotations

from typing import Any

from litellm.integrations.custom_logger import CustomLogger

from .answers import note_answers
from .reasoning import drop_reasoning_before_attempt


class ApplicationCallback(CustomLogger):
    """Remembers who gave an answer, and leaves out what the other group cannot read of it."""

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any]:
        """Leave foreign reasoning out of a request; LiteLLM calls this before each attempt."""
        drop_reasoning_before_attempt(kwargs)
        return kwargs

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Remember an answer; LiteLLM calls this after it."""
        note_answers(kwargs, response_obj)

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Remember the answer of a call that was not async."""
        note_answers(kwargs, response_obj)


application_callback = ApplicationCallback()
