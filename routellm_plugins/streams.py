"""Streams of models that are handed on, and end when their consumer stops."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class HandedStream(AsyncGenerator[T, None]):
    """A model's stream, opened when it is first read.

    It acts as a generator and is none, since it would have to close the model's own: an event loop
    that ends closes all generators at once, and logs an error for each that another one is closing.
    So whoever leaves this stream, or closes it, does that to the model's own.

    Args:
        opened: opens the stream.
        first: changes the first chunk.
    """

    def __init__(
        self,
        opened: Callable[[], Awaitable[AsyncIterator[T]]],
        first: Callable[[T], T] | None = None,
    ) -> None:
        self._opened = opened
        self._first = first
        self._stream: AsyncIterator[T] | None = None
        self._again: deque[T] = deque()
        self._has_ended = False

    async def asend(self, value: None) -> T:
        """Return the next chunk."""
        if self._again:
            return self._again.popleft()
        if self._has_ended:
            raise StopAsyncIteration
        try:
            return await self._next()
        except BaseException:
            self._has_ended = True
            raise

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> T:
        """End the stream, and raise what is given."""
        await self.aclose()
        return await super().athrow(typ, val, tb)

    async def aclose(self) -> None:
        """End the stream, and the model's own."""
        self._has_ended = True
        self._again.clear()
        aclose = getattr(self._stream, "aclose", None)
        if aclose is not None:
            await aclose()

    def put_back(self, chunks: Iterable[T]) -> None:
        """Have chunks that were read come again, before all others."""
        self._again.extendleft(reversed(list(chunks)))

    async def _next(self) -> T:
        if self._stream is None:
            self._stream = await self._opened()
        chunk = await self._stream.__anext__()
        first, self._first = self._first, None
        return chunk if first is None else first(chunk)
