"""Every way LlamaIndex calls an LLM, run to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

Call = Callable[[FunctionCallingLLM, str], Any]

TEMPLATE = PromptTemplate("Prove all of this: {context_str}\n{query_str}")
"""Would go to the strong model if more than the question were scored."""


class City(BaseModel):
    """A city."""

    name: str


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return f"the sum is {a + b}"


TOOL = FunctionTool.from_defaults(add)


def _user(words: str) -> list[ChatMessage]:
    return [ChatMessage("You prove things.", role="system"), ChatMessage(words, role="user")]


def filled(question: str) -> dict[str, str]:
    return {"context_str": "prove it", "query_str": question}


CALLS: dict[str, Call] = {
    "chat": lambda llm, q: llm.chat(_user(q)),
    "complete": lambda llm, q: llm.complete(q),
    "chat_with_tools": lambda llm, q: llm.chat_with_tools([TOOL], q),
    "predict": lambda llm, q: llm.predict(TEMPLATE, **filled(q)),
    "predict_and_call": lambda llm, q: llm.predict_and_call([TOOL], q),
    "structured_predict": lambda llm, q: llm.structured_predict(City, TEMPLATE, **filled(q)),
    "as_structured_llm": lambda llm, q: llm.as_structured_llm(City).chat(_user(q)),
    "complete of as_structured_llm": lambda llm, q: llm.as_structured_llm(City).complete(q),
}

STREAMS: dict[str, Call] = {
    "stream_chat": lambda llm, q: llm.stream_chat(_user(q)),
    "stream_complete": lambda llm, q: llm.stream_complete(q),
    "stream_chat_with_tools": lambda llm, q: llm.stream_chat_with_tools([TOOL], q),
    "stream": lambda llm, q: llm.stream(TEMPLATE, **filled(q)),
    "stream_structured_predict": lambda llm, q: llm.stream_structured_predict(
        City, TEMPLATE, **filled(q)
    ),
    "as_structured_llm": lambda llm, q: llm.as_structured_llm(City).stream_chat(_user(q)),
}

ASYNC_CALLS: dict[str, Callable[[FunctionCallingLLM, str], Awaitable[Any]]] = {
    "achat": lambda llm, q: llm.achat(_user(q)),
    "acomplete": lambda llm, q: llm.acomplete(q),
    "achat_with_tools": lambda llm, q: llm.achat_with_tools([TOOL], q),
    "apredict": lambda llm, q: llm.apredict(TEMPLATE, **filled(q)),
    "apredict_and_call": lambda llm, q: llm.apredict_and_call([TOOL], q),
    "astructured_predict": lambda llm, q: llm.astructured_predict(City, TEMPLATE, **filled(q)),
    "as_structured_llm": lambda llm, q: llm.as_structured_llm(City).achat(_user(q)),
    "acomplete of as_structured_llm": lambda llm, q: llm.as_structured_llm(City).acomplete(q),
}

ASYNC_STREAMS: dict[str, Callable[[FunctionCallingLLM, str], Awaitable[Any]]] = {
    "astream_chat": lambda llm, q: llm.astream_chat(_user(q)),
    "astream_complete": lambda llm, q: llm.astream_complete(q),
    "astream_chat_with_tools": lambda llm, q: llm.astream_chat_with_tools([TOOL], q),
    "astream": lambda llm, q: llm.astream(TEMPLATE, **filled(q)),
    "astream_structured_predict": lambda llm, q: llm.astream_structured_predict(
        City, TEMPLATE, **filled(q)
    ),
    "as_structured_llm": lambda llm, q: llm.as_structured_llm(City).astream_chat(_user(q)),
}

EVERY = [
    *((name, "call") for name in CALLS),
    *((name, "stream") for name in STREAMS),
    *((name, "async call") for name in ASYNC_CALLS),
    *((name, "async stream") for name in ASYNC_STREAMS),
]
"""The name and the kind of each."""


async def run(name: str, kind: str, llm: FunctionCallingLLM, question: str) -> list[Any]:
    """Make a call and return what it gave: one answer, or the chunks of a stream."""
    if kind == "call":
        return [CALLS[name](llm, question)]
    if kind == "stream":
        return list(STREAMS[name](llm, question))
    if kind == "async call":
        return [await ASYNC_CALLS[name](llm, question)]
    return [chunk async for chunk in await ASYNC_STREAMS[name](llm, question)]
