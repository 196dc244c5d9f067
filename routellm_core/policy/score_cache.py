"""Scores of texts that were scored before, so that a conversation costs one score per turn."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ..contracts import Router

_SHORT = 64
"""Characters: a longer text is kept as its digest."""
_LONGEST = 100_000
"""Characters: the score of a longer text is not kept."""


class ScoreCache:
    """Scores by router and text. Bounded: the longest unused is dropped first.

    Args:
        size: how many scores are kept for each router.
    """

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._scores: weakref.WeakKeyDictionary[Router, OrderedDict[str | bytes, float]]
        self._scores = weakref.WeakKeyDictionary()

    def known(self, router: Router, texts: Iterable[str]) -> dict[str, float]:
        """Return the scores that are kept, by text."""
        keys = {text: _key(text) for text in texts}
        found: dict[str, float] = {}
        with self._lock:
            kept = self._scores.get(router, OrderedDict())
            for text, key in keys.items():
                if key is not None and key in kept:
                    kept.move_to_end(key)
                    found[text] = kept[key]
        return found

    def keep(self, router: Router, scores: Mapping[str, float]) -> None:
        """Keep scores, by text."""
        keys = {text: _key(text) for text in scores}
        with self._lock:
            kept = self._scores.setdefault(router, OrderedDict())
            for text, score in scores.items():
                key = keys[text]
                if key is not None:
                    kept[key] = score
                    kept.move_to_end(key)
            while len(kept) > self._size:
                kept.popitem(last=False)


def _key(text: str) -> str | bytes | None:
    if len(text) <= _SHORT:
        return text
    if len(text) > _LONGEST:
        return None
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).digest()


score_cache = ScoreCache()
"""The scores of this process."""
