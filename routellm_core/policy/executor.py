"""Run slow scoring within a time budget, on threads that may hang: one pool per router."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..contracts import Router
from ..errors import ScoringError, ScoringTimeoutError

T = TypeVar("T")

Scored = Future["T | Exception"]
"""An exception comes as a result: raised again where the future is awaited, a scorer's own
TimeoutError or CancelledError could not be distinguished from the awaiting task's."""


_AT_EXIT_S = 2.0
"""How long the end of the process waits for scoring that is under way. A daemon thread that comes
back from native code later than that aborts the process."""

_TICK_S = 0.005
"""Between two looks at that. A timer may also fire earlier than it should by this much."""


class Executor:
    """Daemon threads that score for one router, started as they are needed.

    Unlike ``concurrent.futures.ThreadPoolExecutor``, a scorer that never returns does not keep
    the process from ending, a forked child starts threads of its own, and once every thread is
    stuck a further call is turned away at once instead of waiting out its time budget.

    Args:
        size: the most threads there are.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._reset()
        _executors.add(self)

    def submit(self, work: Callable[[], T]) -> Scored[T]:
        """Queue ``work``; returns the future of its result, or of the exception it raised.

        Raises:
            ScoringTimeoutError: every thread is held by abandoned work whose time is over.
        """
        future: Scored[T] = Future()
        with self._lock:
            if len(self._abandoned) >= self.size and self._stuck() >= self.size:
                raise ScoringTimeoutError(f"all {self.size} scoring threads are stuck")
            self._pending += 1
            if self._pending > self._threads and self._threads < self.size:
                self._threads += 1
                name = f"routellm-score-{self._threads}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
            self._queue.put((future, work))
        return future

    def abandon(self, future: Scored[Any], deadline: float = 0.0) -> None:
        """Stop waiting for ``future``: drop it if it has not begun, else count its thread as
        stuck from the deadline until it ends.

        Args:
            future: of ``submit``.
            deadline: when it should have ended, by ``time.monotonic``: who waited may have been
                cancelled long before.
        """
        with self._lock:
            if future.cancel() or future.done():
                return
            self._abandoned[future] = deadline

    def _stuck(self) -> int:
        now = time.monotonic() + _TICK_S
        return sum(deadline <= now for deadline in self._abandoned.values())

    def close(self) -> None:
        """End the threads, of a router that is gone. Takes no lock, since the garbage collector may
        call it on a thread that has it.
        """
        for _ in range(self.size):
            self._queue.put(None)

    def finish(self, deadline: float) -> None:
        """Drop what has not begun, and wait for what has, until the deadline."""
        while True:
            try:
                asked = self._queue.get_nowait()
            except queue.Empty:
                break
            if asked is not None:
                asked[0].cancel()
                with self._lock:
                    self._pending -= 1
        while self._pending > 0 and time.monotonic() < deadline:
            time.sleep(_TICK_S)

    def _reset(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Scored[Any], Callable[[], Any]] | None]
        self._queue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._pending = 0
        self._abandoned: dict[Scored[Any], float] = {}

    def _run(self) -> None:
        while True:
            asked = self._queue.get()
            if asked is None:
                return
            future, work = asked
            outcome: object = None
            begun = future.set_running_or_notify_cancel()
            if begun:
                try:
                    outcome = work()
                except Exception as error:
                    outcome = error
                except BaseException as error:  # it would end this thread, or the process
                    outcome = ScoringError(f"the scorer raised {type(error).__name__}")
            # One step under the lock: else abandon() could count a thread that is free.
            with self._lock:
                self._pending -= 1
                if begun:
                    self._abandoned.pop(future, None)
                    future.set_result(outcome)
            # They hold the router, which could not go while this thread waits.
            del asked, future, work, outcome


_executors: weakref.WeakSet[Executor] = weakref.WeakSet()
_by_router: dict[int, Executor] = {}


def executor_of(router: Router, size: int) -> Executor:
    """Return the executor that scores with ``router``, shared by all policies.

    Args:
        router: the router.
        size: the most threads, where ``router.concurrency`` does not say; of several policies
            the largest counts.
    """
    size = router.concurrency or size
    found = _by_router.get(id(router))
    if found is None:
        found = _by_router.setdefault(id(router), Executor(size))
        weakref.finalize(router, _forget, id(router))
    found.size = max(found.size, size)
    return found


def _forget(router: int) -> None:
    executor = _by_router.pop(router, None)
    if executor is not None:
        executor.close()


def _forget_threads() -> None:
    for executor in list(_executors):
        executor._reset()


def _finish_at_exit() -> None:
    deadline = time.monotonic() + _AT_EXIT_S
    for executor in list(_executors):
        executor.finish(deadline)


atexit.register(_finish_at_exit)

if hasattr(os, "register_at_fork"):  # Windows has no fork
    # A fork copies the count of threads but not the threads.
    os.register_at_fork(after_in_child=_forget_threads)
