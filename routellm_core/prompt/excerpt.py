"""What is read of a long text: its beginning and its end.

What is asked for stands before or after the document, code or log that it is about. A router that
read the beginning alone would give every question about one document the same score.
"""

from __future__ import annotations

MOST_CHARACTERS = 16_384
"""How much of a prompt is read, unless an encoder or a model reads less."""

LAST = 4
"""One token in so many that are read is from the end. A question takes few; and with halves, `bert`
lost .01 of its APGR on exam questions, whose options come last."""


def excerpt(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text or, if it is longer than ``most`` characters, its beginning and its end in
    equal parts, with a line break between them.
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}\n{text[-half:]}"


def readable(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return the excerpt as tokenizers take it, with ``?`` for lone surrogates."""
    return excerpt(text, most).encode("utf-8", "replace").decode()


def both_ends(tokens: list[int], most: int) -> list[int]:
    """Return tokens or, if there are more than ``most``, the first three quarters of as many and
    the last quarter.
    """
    if len(tokens) <= most:
        return tokens
    last = most // LAST
    return tokens[: most - last] + tokens[len(tokens) - last :]
