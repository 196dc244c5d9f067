"""Set the text that is scored, for applications that know what a call is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from ..errors import ConfigError

_text: ContextVar[str | tuple[str, ...] | None] = ContextVar("routellm_text", default=None)


@contextmanager
def route_on(text: str | Sequence[str]) -> Iterator[None]:
    """Score ``text`` instead of the words of the calls inside.

    Holds for this thread or asyncio task and what it starts, and nests::

        with route_on(question):
            chain.invoke({"report": forty_pages})

        with route_on(questions):
            chain.batch([{"report": each} for each in reports])

    Args:
        text: the words to score, such as the user's question; for LangChain's ``batch``, one text
            for each input.

    Raises:
        ConfigError: it is neither a string nor strings, or one is blank.
    """
    texts = (text,) if isinstance(text, str) else text
    if not isinstance(texts, (list, tuple)) or not texts or not all(map(_has_words, texts)):
        raise ConfigError(
            f"route_on takes the text to score, or a list of texts for a batch, but got {text!r}"
        )
    with _set(text if isinstance(text, str) else tuple(texts)):
        yield


def text_to_route_on() -> str | None:
    """Return the text of the innermost ``route_on`` around this call; None outside of any.

    Raises:
        ConfigError: it has several texts, and this is one call.
    """
    text = _text.get()
    if isinstance(text, tuple):
        raise ConfigError(
            f"route_on got {len(text)} texts for a single call: give it one text, or make the "
            "calls with LangChain's batch"
        )
    return text


def texts_to_route_on(count: int) -> list[str | None]:
    """Return the text for each of so many calls that are made at once.

    Raises:
        ConfigError: ``route_on`` has several texts, and they are not as many.
    """
    text = _text.get()
    if not isinstance(text, tuple):
        return [text] * count
    if len(text) != count:
        raise ConfigError(f"route_on got {len(text)} texts for {count} inputs: give one for each")
    return list(text)


@contextmanager
def held(text: str | None) -> Iterator[None]:
    """Use a recorded text inside, in place of the one that ``route_on`` has set now.

    Args:
        text: of ``text_to_route_on`` or ``texts_to_route_on``.
    """
    with _set(text):
        yield


@contextmanager
def _set(text: str | tuple[str, ...] | None) -> Iterator[None]:
    token = _text.set(text)
    try:
        yield
    finally:
        _text.reset(token)


def _has_words(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
