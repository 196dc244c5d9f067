"""Send a small share of calls to the other model at random, so that both can be judged on them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

_KEY = os.urandom(16)
"""Of this process and its forks. Other processes draw for themselves, and so have other names for
their draws of the same words."""

TOGETHER_S = 3600.0
"""Seconds within which calls of the same words are drawn together, so that the steps of an agent
stay on one model."""


_CHANCE, _ID = 8, 6
"""Bytes of a digest that decide, and of those that name a draw."""


class Draw(NamedTuple):
    """What chance said of a call."""

    is_other: bool
    """Whether it goes to the other model than the one chosen."""
    id: str
    """The same for the calls that were drawn together, and for no others: a digest, by which words
    can be compared in the same process and hour, and not read."""


def draw(share: float, turns: Sequence[str], session: str | None = None) -> Draw:
    """Draw whether a call goes to the other model: with probability ``share``, and once for calls
    of the same words within the hour.

    Args:
        share: in [0, 1].
        turns: what the human wrote.
        session: names the conversation, if it has a name.
    """
    digest = hashlib.blake2b(key=_KEY, digest_size=_CHANCE + _ID)
    for part in (str(time.time() // TOGETHER_S), session or "", *turns):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d\0" % len(data) + data)
    drawn = digest.digest()
    is_other = int.from_bytes(drawn[:_CHANCE], "big") < share * 2 ** (8 * _CHANCE)
    return Draw(is_other, drawn[_CHANCE:].hex())
