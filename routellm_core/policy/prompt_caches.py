"""Stay on a model while its provider has the conversation's beginning in a prompt cache.

Providers keep a prompt that was read for some minutes, and charge a part of the price for what a
later prompt begins with. Going to the weak model in the middle of a conversation means that all of
it is read anew, at the price of writing a cache. That pays once so many calls follow::

    n > (write_weak - read_weak) / (read_strong - read_weak)

which is 11.5 / (strong price / weak price - 1) where writing costs 1.25 times, and reading a tenth,
of what a token costs. How many follow is not known: as many are expected as there were.

Going to the strong model is for the sake of the answer, and is never held up.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from ..rules.prices import Price, tokens_in

WARM_S = 300.0
"""Seconds for which a provider keeps what it read."""

LEAST_TOKENS = 1024
"""Of a beginning that providers keep."""


def calls_until_it_pays(strong: Price, weak: Price) -> float:
    """Return after how many more calls switching to the weak model pays off; infinity for never."""
    gained = cached(strong) - cached(weak)
    return (written(weak) - cached(weak)) / gained if gained > 0 else math.inf


def cached(price: Price) -> float:
    """Return what a million tokens cost that are read from a prompt cache, in dollars: a tenth of
    the price of reading where that is not known.
    """
    return 0.1 * price.given if price.cached is None else price.cached


def written(price: Price) -> float:
    """Return what a million tokens cost that are put into a prompt cache, in dollars: 1.25 times
    the price of reading where that is not known.
    """
    return 1.25 * price.given if price.written is None else price.written


class PromptCaches:
    """Which beginnings of conversations the strong models' providers have read recently.

    They are known by whose strong model it is (``PolicySettings.owner``), and by digest, so that a
    conversation needs no name, and one that was summarised or trimmed is another. Bounded in number
    and time. Each process has its own, to which an adapter may add what others know.

    Args:
        size: how many are kept; the longest unused is dropped first.
        clock: gives the time in seconds.
    """

    def __init__(self, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._read: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_warm(self, owner: str, parts: Sequence[str]) -> bool:
        """Whether the strong model has read enough of the conversation's beginning.

        Args:
            owner: whose strong model that is.
            parts: the texts of its messages, oldest first, the new one too.
        """
        tokens = 0.0
        warm = 0.0
        now = self._clock()
        with self._lock:
            for part, digest in zip(parts, _digests(owner, parts), strict=True):
                tokens += tokens_in(part)
                if now - self._read.get(digest, -math.inf) <= WARM_S:
                    warm = tokens
        return warm > LEAST_TOKENS

    def read(self, owner: str, parts: Sequence[str]) -> None:
        """Record that the owner's strong model reads these messages now."""
        *_, digest = _digests(owner, parts)
        self._keep(digest, 0.0)

    def learn(self, name: str, ago_s: float) -> None:
        """Record what another process reports.

        Args:
            name: of a beginning, one of ``beginnings``.
            ago_s: seconds since the strong model read it.
        """
        self._keep(bytes.fromhex(name), ago_s)

    def _keep(self, digest: bytes, ago_s: float) -> None:
        with self._lock:
            self._read[digest] = max(self._clock() - ago_s, self._read.get(digest, -math.inf))
            self._read.move_to_end(digest)
            while len(self._read) > self._size:
                self._read.popitem(last=False)


def beginnings(owner: str, parts: Sequence[str]) -> list[str]:
    """Return names for what a conversation with an owner's models begins with, shortest first: for
    each beginning that is long enough to be kept by a provider, 32 hexadecimal digits.
    """
    tokens = 0.0
    names = []
    for part, digest in zip(parts, _digests(owner, parts), strict=True):
        tokens += tokens_in(part)
        if tokens > LEAST_TOKENS:
            names.append(digest.hex())
    return names


def _digests(owner: str, parts: Sequence[str]) -> list[bytes]:
    """Return the digest of each beginning: of the first part, the first two, and so on."""
    digest = hashlib.blake2b(digest_size=16)
    found = []
    for part in (owner, *parts):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
        found.append(digest.digest())
    return found[1:]


prompt_caches = PromptCaches()
"""Those of this process."""
