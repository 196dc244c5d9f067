"""How a fallback that another middleware brings is told from the model of the agent."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from langchain.agents.middleware.types import ModelRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables.config import ensure_config

_KEPT = 256


class FailedCalls:
    """The steps of agents whose routed call failed, and the model each was given to route.

    A middleware around ours that retries hands the same model again; one that falls back hands
    another, and routing that away would undo it. Only the last steps are kept, since nothing
    tells when a step has ended.
    """

    def __init__(self) -> None:
        self._given: OrderedDict[str, BaseChatModel] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, request: ModelRequest[Any]) -> None:
        """Remember that the routed call of this step failed."""
        step = _step(request)
        if step is None:
            return
        with self._lock:
            self._given.setdefault(step, request.model)
            while len(self._given) > _KEPT:
                self._given.popitem(last=False)

    def makes_fallback(self, request: ModelRequest[Any]) -> bool:
        """Whether the model is given in place of the one whose routing failed in this step."""
        step = _step(request)
        with self._lock:
            first = None if step is None else self._given.get(step)
        return first is not None and first is not request.model


def _step(request: ModelRequest[Any]) -> str | None:
    """Return what LangGraph calls this execution of the model's node; unique to it."""
    info = getattr(request.runtime, "execution_info", None)
    if info is not None:
        return str(info.task_id)
    # Older releases tell it in the config alone, which Python 3.10 has none of in async agents.
    return ensure_config().get("metadata", {}).get("langgraph_checkpoint_ns")
