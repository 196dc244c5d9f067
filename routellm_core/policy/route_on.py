"""For applications that know better which words a call is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..errors import ConfigError

_text: ContextVar[str | None] = ContextVar("routellm_text", default=None)


@contextmanager
def route_on(text: str) -> Iterator[None]:
    """Score ``text`` instead of the words of the calls inside.

    Holds for this thread or asyncio task and what it starts, and nests::

        with route_on(question):
            chain.invoke({"report": forty_pages})

    Args:
        text: the words to score, such as the user's question.

    Raises:
        ConfigError: it is no string, or blank.
    """
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"route_on takes the text to score, got {text!r}")
    token = _text.set(text)
    try:
        yield
    finally:
        _text.reset(token)


def text_to_route_on() -> str | None:
    """Return the text of the innermost ``route_on`` around this call; None outside of any."""
    return _text.get()
