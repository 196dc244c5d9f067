"""Which words of a filled prompt are the question, and which were put around it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.context import register_configure_hook

from routellm_core.prompt.turns import text_of


class PromptInputs(BaseCallbackHandler):
    """Remembers what the prompts of running chains were filled with.

    A chain's model is handed the filled prompt alone; what it was filled with is told to callback
    handlers, under the run of the chain. That is the parent of the model's run, or an earlier
    ancestor where the model is wrapped by what has a run of its own, such as ``with_retry``.

    Args:
        size: how many chains are remembered, for those whose end is never told.
    """

    run_inline = True
    ignore_llm = ignore_chat_model = ignore_retriever = ignore_agent = ignore_retry = True
    ignore_custom_event = True

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._inputs: OrderedDict[UUID, Mapping[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def on_chain_start(
        self,
        serialized: Any,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        run_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        if parent_run_id is None:
            return
        with self._lock:
            if run_type == "prompt":
                filled, run = inputs, parent_run_id
            else:
                filled, run = self._inputs.get(parent_run_id), run_id
            if not isinstance(filled, Mapping):
                return
            self._inputs[run] = filled
            while len(self._inputs) > self._size:
                self._inputs.popitem(last=False)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            self._inputs.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        with self._lock:
            self._inputs.pop(run_id, None)

    def of(self, config: RunnableConfig) -> Mapping[str, Any]:
        """Return what the prompt was filled with before a call with this config; empty if that is
        not known.
        """
        parent = getattr(config.get("callbacks"), "parent_run_id", None)
        with self._lock:
            return self._inputs.get(parent, {}) if parent is not None else {}


_inputs = PromptInputs()
_registered = threading.Event()


def watch_prompts() -> None:
    """Have LangChain tell what prompts are filled with, in this process from now on."""
    if not _registered.is_set():
        _registered.set()
        register_configure_hook(ContextVar("routellm_prompts", default=_inputs), inheritable=True)


def question_in_call(config: RunnableConfig, keys: Sequence[str]) -> str | None:
    """Return the question that the prompt before a model was filled with; None if there is none.

    Args:
        config: of the model's call.
        keys: names of variables that hold a question, best first.
    """
    inputs = _inputs.of(config) if keys else {}
    for key in keys:
        question = inputs.get(key)
        if isinstance(question, str) and question.strip():
            return question
    return None


def with_question(turns: tuple[str, ...], question: str | None, prompt: object) -> tuple[str, ...]:
    """Return the human's turns with the question alone in the place of the prompt around it.

    Args:
        turns: oldest first.
        question: that the prompt was filled with; None if that is not known.
        prompt: content of the human's last message, which must hold the question.
    """
    if not turns or question is None or question not in f"{turns[-1]}\n{text_of(prompt)}":
        return turns
    return (*turns[:-1], question)
