"""Which conversations went to the strong model and who gave an answer, if messages do not say."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from ..decision import Tier

IDLE_S = 3600.0
"""Seconds after its last use at which a conversation is forgotten."""


class Conversations:
    """Remembers names, such as those of conversations that are to stay on the strong model.

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
        """Whether a name is remembered; asking counts as a use."""
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
        """Remember a name from now on."""
        with self._lock:
            self._keep(session)
            while len(self._used) > self._size:
                self._used.popitem(last=False)

    def _keep(self, session: str) -> None:
        self._used[session] = self._clock()
        self._used.move_to_end(session)


conversations = Conversations()
"""The conversations of this process that are to stay on the strong model."""

_answers: dict[Tier, Conversations] = {"strong": Conversations(), "weak": Conversations()}
"""Names of answers, by who gave them."""


def note_answer(names: Iterable[str], tier: Tier) -> None:
    """Remember who gave an answer, for when the human's words are trimmed from its conversation.

    Args:
        names: of ``names_of_answer``.
        tier: that gave it.
    """
    for name in names:
        _answers[tier].add(name)


def tier_of_answer(names: Iterable[str]) -> Tier | None:
    """Return which tier gave a recent answer in this process; None if that is not known."""
    return next((tier for name in names for tier in _answers if name in _answers[tier]), None)


def names_of_answer(text: str, calls: Iterable[str], scope: Iterable[str] = ()) -> list[str]:
    """Return the names under which an answer is remembered; they are hashes, not its words.

    Args:
        text: of the answer.
        calls: ids of the tools' calls in it. Each gives a name; without any, the text does.
        scope: what tells apart answers with the same text or ids, such as who asked.
    """
    named = [session_of("call", call, scope) for call in calls if call]
    return named or ([session_of("answer", text, scope)] if text.strip() else [])


def session_of(system: str, first: str, tools: Iterable[str] = ()) -> str:
    """Return a name for the conversation that begins like this: a hash, not its words.

    Args:
        system: the system message, or whatever else stays the same in all turns; may be empty.
        first: the human's first message.
        tools: names of the tools that the model may call.

    Returns:
        64 hexadecimal digits (SHA-256 over the parts, each with its length before it).
    """
    parts = [part.encode("utf-8", "surrogatepass") for part in (system, first, *tools)]
    told = b"".join(b"%b%b" % (len(part).to_bytes(8, "big"), part) for part in parts)
    return hashlib.sha256(told).hexdigest()
