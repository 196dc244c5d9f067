"""A LiteLLM callback that writes what LiteLLM logs about each request to a file."""

from __future__ import annotations

import json
import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class PayloadLog(CustomLogger):
    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        _write(kwargs["standard_logging_object"])

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        _write(kwargs["standard_logging_object"])


def _write(payload: Any) -> None:
    with open(os.environ["PAYLOAD_LOG"], "a") as log:
        log.write(json.dumps(payload, default=str) + "\n")


writer = PayloadLog()
