"""Write to a store in the background: nobody waits for a database, and memory is bounded."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial

from .database import file_of
from .keeping import Keeping
from .kept import Answer, Request
from .store import Kept, Store

logger = logging.getLogger(__name__)

_WAITING = 10_000
"""Records that may wait."""

_BATCH = 500
_PAUSE_S = 1.0
"""Between two transactions, so that busy traffic is written in few."""

_TRIES = 3
_HOUR_S = 3600.0
_DAY_S = 86_400.0
_AT_END_S = 3.0
"""How long the process's end may wait for what is not written yet."""


class Writer:
    """A queue before a store, and the thread that empties it.

    Args:
        opened: opens where it writes, on a thread of the background.
        keep_days: how long requests are kept; None: for ever.
        waiting: records that may wait; further ones are lost, and counted.
    """

    _started: bool
    _idle: bool
    _writing: bool
    _hurry: bool
    _pause_s: float

    def __init__(
        self,
        opened: Callable[[], Store],
        keep_days: float | None = None,
        waiting: int = _WAITING,
    ) -> None:
        self._opened = opened
        self._store: Store | None = None
        self.keep_days = keep_days
        self._most = waiting
        self._reset()
        _writers.add(self)

    @property
    def store(self) -> Store:
        """The store; asking may wait for its database.

        Raises:
            ConfigError: it cannot be opened.
        """
        with self._opening:
            if self._store is None:
                self._store = self._opened()
            return self._store

    def put(self, route: str, kept: Kept, keeping: Keeping) -> bool:
        """Queue a record without waiting; returns whether there was room.

        Args:
            route: to whose count it is added if it is lost.
            kept: a request, or an answer with the id of its request.
            keeping: what of its texts is kept. It is called on the writing thread.
        """
        with self._changed:
            if len(self._waiting) >= self._most:
                self._lose(Counter([route]), "its database is slower than the traffic")
                return False
            self._waiting.append((route, kept, keeping))
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="routellm-store", daemon=True).start()
            if self._idle:
                self._changed.notify_all()
        return True

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was queued is written; returns whether it was in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            while self._waiting or self._writing:
                left = deadline - time.monotonic()
                if left <= 0 or not self._started:
                    return False
                self._changed.wait(left)
            self._hurry = False
        return True

    def write_at_once(self) -> None:
        """Write what waits, and from now on each record as it comes; returns before it is done."""
        with self._changed:
            self._pause_s = 0.0
            self._changed.notify_all()

    def close(self) -> None:
        """Close the store, whose file then is whole by itself; it is opened again when needed."""
        with self._opening:
            self._store = None

    def _reset(self) -> None:
        if self._store is not None:
            _of_parents.append(self._store)
            self._store = None
        self._waiting: deque[tuple[str, Kept, Keeping]] = deque()
        self._changed = threading.Condition()
        self._opening = threading.Lock()
        self._started = self._idle = self._writing = self._hurry = self._logged = False
        self._lost: Counter[str] = Counter()
        self._pause_s = _PAUSE_S
        self._pruned = -_HOUR_S
        self._to_overwrite = False

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._hurry and len(self._waiting) < _BATCH:
                    self._changed.wait(self._pause_s)
                # Only after a pause without a record: to wake a thread for each batch would cost
                # the thread that answers users more than what it puts here.
                self._idle = not self._waiting
                while not self._waiting:
                    self._changed.wait()
                self._idle = False
                taken = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                lost, self._lost = self._lost, Counter()
                self._writing = True
            self._write(self._allowed(taken), lost)
            self._prune()
            self._overwrite()
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _allowed(self, taken: Sequence[tuple[str, Kept, Keeping]]) -> list[tuple[str, Kept]]:
        """Return what may be kept of records, with their routes."""
        records = []
        for route, kept, keeping in taken:
            try:
                records.append((route, _allowed(kept, keeping)))
            except Exception as error:
                with self._changed:
                    self._lose(Counter([route]), f"{type(error).__name__} in redacting one")
        return records

    def _write(self, records: list[tuple[str, Kept]], lost: Counter[str]) -> None:
        for tried in range(1, _TRIES + 1):
            try:
                self.store.add([kept for _, kept in records], lost)
                return
            except Exception as error:
                self.close()  # its file may be gone: opened anew, it is made again
                if tried == _TRIES:
                    with self._changed:
                        self._lose(lost + Counter(route for route, _ in records), str(error))
                else:
                    time.sleep(tried)

    def _lose(self, routes: Counter[str], why: str) -> None:
        self._lost += routes
        if not self._logged:
            self._logged = True
            logger.error(
                "a store does not take records of %s (%s): they are lost and counted; further ones "
                "are not logged",
                " and ".join(f"'{route}'" for route in routes),
                why,
            )

    def _prune(self) -> None:
        if self.keep_days is None or time.monotonic() - self._pruned < _HOUR_S:
            return
        self._pruned = time.monotonic()
        try:
            self.store.delete(time.time() - self.keep_days * _DAY_S)
            self._to_overwrite = True
        except Exception:
            logger.exception("old requests were not deleted from a store")

    def _overwrite(self) -> None:
        """Overwrite what was deleted; where a report is in the way, after a later batch, as records
        must not wait for it.
        """
        if not self._to_overwrite:
            return
        try:
            self._to_overwrite = not self.store.overwrite(0.0)
        except Exception:
            self._to_overwrite = False
            logger.exception("deleted requests were not overwritten in a store")


def _allowed(kept: Kept, keeping: Keeping) -> Kept:
    if isinstance(kept, Request):
        return keeping.request(kept)
    request_id, answer = kept
    assert isinstance(answer, Answer)
    return request_id, keeping.answer(answer)


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()
_of_parents: list[Store] = []
"""In a fork, the stores of its parent, whose connections it may neither use nor close."""
_by_place: dict[str, Writer] = {}
_lock = threading.Lock()


def writer_of(where: str, keep_days: float | None = None) -> Writer:
    """Return the writer of a store in this process; one for all routes that name it."""
    path = file_of(where)
    place = where if path is None else os.path.abspath(path)
    with _lock:
        writer = _by_place.get(place)
        if writer is None:
            writer = _by_place[place] = Writer(partial(Store, place), keep_days)
        if keep_days is not None:
            # The stricter of two routes counts.
            writer.keep_days = min(keep_days, writer.keep_days or keep_days)
        return writer


def write_at_once() -> None:
    """Let no record of this process wait any longer, because it is about to end."""
    for writer in list(_writers):
        writer.write_at_once()


def _flush_all() -> None:
    deadline = time.monotonic() + _AT_END_S
    for writer in list(_writers):
        writer.flush(max(0.0, deadline - time.monotonic()))
        writer.close()


def _forget_threads() -> None:
    global _lock
    _lock = threading.Lock()
    for writer in list(_writers):
        writer._reset()


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):  # Windows has no fork
    # A fork copies what waits, which the parent writes, and not the thread.
    os.register_at_fork(after_in_child=_forget_threads)
