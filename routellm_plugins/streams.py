"""Streams of models that are handed on, and end when their consumer stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

S = TypeVar("S", bound="AsyncIterator[Any]")


@asynccontextmanager
async def ended(stream: S) -> AsyncIterator[S]:
    """Return a context that ends a stream, which a loop that is left does not.

    Otherwise the model's run, and its connection, would stay open until the garbage collector
    comes by.

    Args:
        stream: a generator, or an iterator that may be one.
    """
    try:
        yield stream
    finally:
        aclose = getattr(stream, "aclose", None)
        if aclose is not None:
            await aclose()
