"""Run slow scoring off the event loop, within a time budget, on threads that may hang."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from .errors import ScoringTimeoutError


class ScoringThreads:
    """A few daemon threads that score.

    Unlike ``concurrent.futures.ThreadPoolExecutor``, a scorer that never returns does not keep
    the process from ending, and once every thread is stuck a further request is turned away at
    once instead of waiting out its time budget in the queue.
    """

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._queue: queue.SimpleQueue[tuple[Future[float], Callable[[], float]]] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._threads = 0
        self._abandoned: set[Future[float]] = set()

    def submit(self, work: Callable[[], float]) -> Future[float]:
        """Queue ``work``; returns its future.

        Raises:
            ScoringTimeoutError: every thread is held by work that was abandoned.
        """
        with self._lock:
            if len(self._abandoned) >= self._size:
                raise ScoringTimeoutError(f"all {self._size} scoring threads are stuck")
            if self._threads < self._size:
                self._threads += 1
                name = f"routellm-score-{self._threads}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
        future: Future[float] = Future()
        self._queue.put((future, work))
        return future

    def abandon(self, future: Future[float]) -> None:
        """Stop waiting for ``future``: drop it if it has not begun, else note its thread as stuck
        until it ends.
        """
        with self._lock:
            if future.cancel() or future.done():
                return
            self._abandoned.add(future)

    def _run(self) -> None:
        while True:
            future, work = self._queue.get()
            if not future.set_running_or_notify_cancel():
                continue
            result: float | BaseException
            try:
                result = work()
            except BaseException as error:
                result = error
            self._settle(future, result)

    def _settle(self, future: Future[float], result: float | BaseException) -> None:
        # One step under the lock: else abandon() could note a future whose thread is free again.
        with self._lock:
            self._abandoned.discard(future)
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


scoring_threads = ScoringThreads()
"""Shared by every policy of this process, so that their number does not grow with policies."""
