"""Two stand-in models behind real clients, and a router that remembers what it was asked."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import llama_index.core
import numpy as np
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.llms.openai_like import OpenAILike
from numpy.typing import NDArray
from openai import DefaultHttpxClient

from routellm_core import Decision, Router, hookimpl, register_plugin, unregister_plugin
from routellm_plugins.demo.standin.answers import Answer
from routellm_plugins.llama_index import RouteLLM
from tests.fakes.openai_upstream import Upstream

# Older releases do not look at what they bring along for splitting text, and would download it.
os.environ.setdefault("NLTK_DATA", f"{Path(llama_index.core.__file__).parent}/_static/nltk_cache")

EASY = "Who painted the Mona Lisa?"
HARD = "Prove that there are infinitely many primes"
TIER = {EASY: "weak", HARD: "strong"}

Reply = str | tuple[str, dict[str, Any]]
"""What a model says: a text, or a tool's name and arguments."""


class Scripted(Upstream):
    """A stand-in that says what a test wants to hear.

    Attributes:
        replies: what is said to a request in whose last message the words occur.
    """

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.replies: dict[str, Reply] = {}

    def answer(self, body: dict[str, Any]) -> Answer:
        own = super().answer(body)
        last = str(body["messages"][-1]["content"])
        for words, reply in self.replies.items():
            if words in last:
                text, tool, arguments = (
                    (reply, None, "") if isinstance(reply, str) else ("", *_call(reply))
                )
                return dataclasses.replace(own, text=text, tool=tool, arguments=arguments)
        return own


def _call(reply: tuple[str, dict[str, Any]]) -> tuple[str, str]:
    tool, arguments = reply
    return tool, json.dumps(arguments)


class Recording(Router):
    """Sends what asks for a proof to the strong model, and remembers every text."""

    instant: ClassVar[bool] = True

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        self._texts.extend(prompts)
        return np.array([0.8 if "prove" in prompt.lower() else 0.2 for prompt in prompts])


class Routed:
    """The two models, the router between them, and what reached each of the three.

    Attributes:
        strong, weak: the models.
        texts: what the router was asked to score, in order.
        decisions: what was decided, in order.
    """

    def __init__(self, strong: Scripted, weak: Scripted, http: httpx.Client) -> None:
        self.strong = strong
        self.weak = weak
        self._http = http
        self.texts: list[str] = []
        self.decisions: list[Decision] = []

    @hookimpl
    def routellm_register_routers(self, register: Callable[..., None]) -> None:
        register("recording", lambda: Recording(self.texts))

    @hookimpl
    def routellm_decided(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def llm(self, **settings: Any) -> RouteLLM:
        """Return the LLM under test."""
        settings = {"router": "recording", "threshold": 0.5, **settings}
        strong, weak = (client(model, self._http) for model in (self.strong, self.weak))
        return RouteLLM(strong=strong, weak=weak, **settings)

    def bare(self, tier: str) -> OpenAILike:
        """Return the LLM of a tier as an app without routing has it."""
        return client(self.model(tier), self._http)

    def model(self, tier: str) -> Scripted:
        return self.strong if tier == "strong" else self.weak

    def reply(self, replies: dict[str, Reply]) -> None:
        """Have both models say this; see ``Scripted.replies``."""
        self.strong.replies = self.weak.replies = replies

    def answered(self) -> dict[str, int]:
        """Return how many requests each tier had since this was last asked."""
        counts = {"strong": len(self.strong.requests), "weak": len(self.weak.requests)}
        self.forget()
        return counts

    def forget(self) -> None:
        self.strong.requests.clear()
        self.weak.requests.clear()


@contextmanager
def routed() -> Iterator[Routed]:
    """Start both models and register the router."""
    with (
        Scripted("gpt-4o") as strong,
        Scripted("gpt-4o-mini") as weak,
        # One client that verifies nothing, because others read all certificates of the machine.
        DefaultHttpxClient(verify=False) as http,
        _event_loop(),
    ):
        pair = Routed(strong, weak, http)
        register_plugin(pair)
        try:
            yield pair
        finally:
            unregister_plugin(pair)


@contextmanager
def _event_loop() -> Iterator[None]:
    # LlamaIndex's sync calls make an event loop where there is none, and leave it open.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


def client(model: Scripted, http: httpx.Client) -> OpenAILike:
    """Return a real client of a stand-in model."""
    return OpenAILike(
        model=model.model,
        api_base=model.url,
        api_key="unused",
        is_chat_model=True,
        is_function_calling_model=True,
        context_window=2304,
        max_tokens=256,
        max_retries=0,
        http_client=http,
    )


def index(chunks: int = 3) -> VectorStoreIndex:
    """Return an index whose chunks, if they were scored, would go to the strong model.

    Two of them fill the context window of the models.
    """
    text = "Chunk {} says: prove it. " + "Word after word goes by. " * 150
    nodes = [TextNode(id_=str(i), text=text.format(i)) for i in range(chunks)]
    return VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))
