"""Which conversations went to the strong model, where their messages do not say."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

IDLE_S = 3600.0
"""Seconds after its last use at which a conversation is forgotten."""


class Conversations:
    """Remembers conversations that are to stay on the strong model.

    Bounded in number and time. Each process has its own, to which an adapter may add what others
    know; conversations whose messages say which model answered do not need it.

    Args:
        size: how many are kept; the longest unused is dropped first.
        idle_s: seconds after its last use at which a conversation is forgotten.
        clock: gives the time in seconds.
    """

    def __init__(
        self,
        size: int = 10_000,
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._idle_s = idle_s
        self._clock = clock
        self._used: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, session: str) -> bool:
        """Whether the conversation stays on the strong model; asking counts as a use."""
        with self._lock:
            used = self._used.get(session)
            if used is None:
                return False
            if self._clock() - used > self._idle_s:
                del self._used[session]
                return False
            self._keep(session)
            return True

    def add(self, session: str) -> None:
        """Keep the conversation on the strong model from now on."""
        with self._lock:
            self._keep(session)
            while len(self._used) > self._size:
                self._used.popitem(last=False)

    def _keep(self, session: str) -> None:
        self._used[session] = self._clock()
        self._used.move_to_end(session)


conversations = Conversations()
"""The conversations of this process."""


def session_of(system: str, first: str, tools: Iterable[str] = ()) -> str:
    """Return a name for the conversation that begins like this; never its words.

    Args:
        system: the system message, or whatever else stays the same in all turns; may be empty.
        first: the human's first message.
        tools: names of the tools that the model may call.

    Returns:
        64 hexadecimal digits (SHA-256 over the parts, each with its length before it).
    """
    digest = hashlib.sha256()
    for part in (system, first, *tools):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
