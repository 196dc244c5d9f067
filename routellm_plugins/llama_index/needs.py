"""What a call of LlamaIndex needs, and what the metadata of its LLMs say they can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM

from routellm_core import Tier
from routellm_core.rules.fits import Abilities, Needs, lacking, tokens_at_most


def lacking_for(
    strong: LLM, weak: LLM, messages: Sequence[ChatMessage], tools: bool
) -> dict[Tier, str]:
    """Return what each LLM lacks for a call, of those that cannot serve it.

    Args:
        strong: the strong LLM.
        weak: the weak LLM.
        messages: of the call.
        tools: whether it has any.
    """
    models: dict[Tier, Abilities] = {"strong": _abilities(strong), "weak": _abilities(weak)}
    images = sum(isinstance(block, ImageBlock) for m in messages for block in m.blocks)
    needs = Needs(tokens=tokens_at_most(_texts(messages), images), tools=tools)
    return lacking(needs, models)


def _texts(messages: Sequence[ChatMessage]) -> Iterator[str]:
    for message in messages:
        for block in message.blocks:
            if isinstance(block, TextBlock):
                yield block.text


def calls_tools(llm: LLM) -> bool:
    """Return whether an LLM takes tools."""
    return isinstance(llm, FunctionCallingLLM) and llm.metadata.is_function_calling_model


def _abilities(llm: LLM) -> Abilities:
    window = llm.metadata.context_window
    # The default stands for LLMs that do not say.
    known = window > 0 and window != DEFAULT_CONTEXT_WINDOW
    return Abilities(context_window=window if known else None, tools=calls_tools(llm))
