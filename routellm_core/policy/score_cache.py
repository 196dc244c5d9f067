"""A cache of scores, so that a conversation costs one score per turn."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ..contracts import Router

_SHORT = 256
"""Characters: a longer text is kept as its digest."""
_LONGEST = 100_000
"""Characters: the score of a longer text is not kept."""


class KeptScores:
    """Scores of one router, by text. Bounded: the least recently used is dropped first.

    Args:
        size: how many scores are kept.
    """

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._scores: OrderedDict[str | bytes, float] = OrderedDict()

    def known(self, texts: Iterable[str]) -> dict[str, float]:
        """Return the scores that are kept, by text."""
        found: dict[str, float] = {}
        keys = [(text, _key(text)) for text in texts]
        with self._lock:
            for text, key in keys:
                if key is not None and key in self._scores:
                    self._scores.move_to_end(key)
                    found[text] = self._scores[key]
        return found

    def keep(self, scores: Mapping[str, float]) -> None:
        """Keep scores, by text."""
        keyed = [(_key(text), score) for text, score in scores.items()]
        with self._lock:
            for key, score in keyed:
                if key is None:
                    continue
                self._scores[key] = score
                self._scores.move_to_end(key)
                if len(self._scores) > self._size:
                    self._scores.popitem(last=False)


def _key(text: str) -> str | bytes | None:
    if len(text) <= _SHORT:
        return text
    if len(text) > _LONGEST:
        return None
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).digest()


_of_routers: weakref.WeakKeyDictionary[Router, KeptScores] = weakref.WeakKeyDictionary()


def scores_of(router: Router) -> KeptScores:
    """Return the score cache of a router, shared by all policies of this process."""
    return _of_routers.setdefault(router, KeptScores())
