"""A call with its decision, made by the runnable that was chosen."""

# ruff: noqa: A002  # `input` is what LangChain calls it
from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig

from routellm_core import Decision
from routellm_core.policy.route_on import held

from ...streams import HandedStream
from ..reporting import with_decision


@dataclass(frozen=True)
class RoutedCall:
    """A call with its decision."""

    target: Runnable[LanguageModelInput, Any]
    model_input: LanguageModelInput
    config: RunnableConfig
    kwargs: dict[str, Any]
    decision: Decision
    nested: bool = False
    """Whether the target is a router itself."""
    text: str | None = None
    """What ``route_on`` says of the call, which holds for a nested router too."""

    def carried(self, output: Any) -> Any:
        """Return an output that carries the decision."""
        return with_decision(output, self.decision, self.nested)

    def invoke(self) -> Any:
        """Make the call."""
        with held(self.text):
            output = self.target.invoke(self.model_input, self.config, **self.kwargs)
        return self.carried(output)

    async def ainvoke(self) -> Any:
        """Make the call."""
        with held(self.text):
            output = await self.target.ainvoke(self.model_input, self.config, **self.kwargs)
        return self.carried(output)

    def stream(self) -> Iterator[Any]:
        """Make the call; the first chunk alone carries the decision, since chunks are added up."""
        with held(self.text):  # until it is taken down: what is set must not outlast a yield
            chunks = iter(self.target.stream(self.model_input, self.config, **self.kwargs))
        for first in chunks:
            yield self.carried(first)
            yield from chunks

    def astream(self) -> AsyncIterator[Any]:
        """Like ``stream``."""

        async def opened() -> AsyncIterator[Any]:
            with held(self.text):
                return self.target.astream(self.model_input, self.config, **self.kwargs)

        return HandedStream(opened, self.carried)


class Calls(Runnable["RoutedCall | Exception", Any]):
    """Makes calls whose decision is known; Runnable adds how batches run."""

    def invoke(
        self, input: RoutedCall | Exception, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        if isinstance(input, Exception):
            raise input
        return input.invoke()

    async def ainvoke(
        self, input: RoutedCall | Exception, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        if isinstance(input, Exception):
            raise input
        return await input.ainvoke()


CALLS = Calls()
