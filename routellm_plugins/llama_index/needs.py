"""What a call of LlamaIndex needs, and what the metadata of its LLMs say they can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM

from routellm_core import Tier
from routellm_core.rules.fits import Abilities, Needs, lacking, tokens_at_most

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

_CITABLE: Any = getattr(types, "CitableBlock", ())
_TOOL_CALL: Any = getattr(types, "ToolCallBlock", ())
"""Not in older releases."""


def lacking_for(
    strong: LLM, weak: LLM, messages: Sequence[ChatMessage], tools: Sequence[BaseTool]
) -> dict[Tier, str]:
    """Return what each LLM lacks for a call, of those that cannot serve it.

    Args:
        strong: the strong LLM.
        weak: the weak LLM.
        messages: of the call.
        tools: that it offers.
    """
    models: dict[Tier, Abilities] = {"strong": _abilities(strong), "weak": _abilities(weak)}
    blocks = [block for message in messages for block in message.blocks]
    # To make a tool's schema takes longer than to decide; its description has the signature.
    described = (tool.metadata.description for tool in tools)
    texts = [*_texts(blocks), *_earlier_calls(messages), *described]
    images = sum(isinstance(block, ImageBlock) for block in blocks)
    return lacking(Needs(tokens=tokens_at_most(texts, images), tools=bool(tools)), models)


def _texts(blocks: Iterable[object]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, TextBlock):
            yield block.text
        elif isinstance(block, _CITABLE):
            yield from _texts(block.content)
        elif isinstance(block, _TOOL_CALL):
            yield str(block.tool_kwargs)


def _earlier_calls(messages: Iterable[ChatMessage]) -> Iterator[str]:
    """Yield the calls of tools that messages have beside their blocks, as LLMs of older
    integrations write them.
    """
    for message in messages:
        if not any(isinstance(block, _TOOL_CALL) for block in message.blocks):
            yield from map(str, message.additional_kwargs.get("tool_calls") or ())


def calls_tools(llm: LLM) -> bool:
    """Return whether an LLM takes tools."""
    return isinstance(llm, FunctionCallingLLM) and llm.metadata.is_function_calling_model


def _abilities(llm: LLM) -> Abilities:
    window = llm.metadata.context_window
    # The default stands for LLMs that do not say.
    known = window > 0 and window != DEFAULT_CONTEXT_WINDOW
    return Abilities(context_window=window if known else None, tools=calls_tools(llm))
