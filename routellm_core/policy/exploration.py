"""Send a small share of calls to the other model at random, so that both can be judged on them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence

_SALT = os.urandom(16)

TOGETHER_S = 3600.0
"""Seconds within which calls of the same words are drawn together, so that the steps of an agent
stay on one model."""


def is_explored(share: float, turns: Sequence[str], session: str | None = None) -> bool:
    """Return whether a call goes to the other model than the one chosen: at random, with
    probability ``share``, and the same for calls of the same words within the hour.

    Args:
        share: in [0, 1].
        turns: what the human wrote.
        session: names the conversation, if it has a name.
    """
    digest = hashlib.blake2b(_SALT, digest_size=8)
    for part in (str(time.time() // TOGETHER_S), session or "", *turns):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d\0" % len(data) + data)
    return int.from_bytes(digest.digest(), "big") < share * 2**64
