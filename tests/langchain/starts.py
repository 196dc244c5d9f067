"""Record the runs of chat models that an application's callbacks see begin."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler


class Starts(BaseCallbackHandler):
    """Remembers the metadata of each run of a chat model, in order."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def on_chat_model_start(self, *args: Any, metadata: Any = None, **kwargs: Any) -> None:
        self.metadata.append(metadata)
