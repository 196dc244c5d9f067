"""Run slow scoring off the event loop, within a time budget, on threads that may hang."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from .errors import ScoringError, ScoringTimeoutError

T = TypeVar("T")

Scored = Future["T | Exception"]
"""What was raised comes as a result: raised again where the future is awaited, a scorer's own
TimeoutError or CancelledError could not be told from the awaiting task's."""


class ScoringThreads:
    """A few daemon threads that score.

    Unlike ``concurrent.futures.ThreadPoolExecutor``, a scorer that never returns does not keep
    the process from ending, and once every thread is stuck a further request is turned away at
    once instead of waiting out its time budget in the queue.
    """

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._queue: queue.SimpleQueue[tuple[Scored[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._abandoned: set[Scored[Any]] = set()

    def submit(self, work: Callable[[], T]) -> Scored[T]:
        """Queue ``work``; returns the future of its result, or of what it raised.

        Raises:
            ScoringTimeoutError: every thread is held by work that was abandoned.
        """
        with self._lock:
            if len(self._abandoned) >= self._size:
                raise ScoringTimeoutError(f"all {self._size} scoring threads are stuck")
            if self._threads < self._size:
                name = f"routellm-score-{self._threads + 1}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
                self._threads += 1
        future: Scored[T] = Future()
        self._queue.put((future, work))
        return future

    def abandon(self, future: Scored[Any]) -> None:
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
            outcome: object
            try:
                outcome = work()
            except Exception as error:
                outcome = error
            except BaseException as error:  # it would end this thread, or the process
                outcome = ScoringError(f"the scorer raised {type(error).__name__}")
            # One step under the lock: else abandon() could note a future whose thread is free.
            with self._lock:
                self._abandoned.discard(future)
                future.set_result(outcome)


scoring_threads = ScoringThreads()
"""Shared by every policy of this process, so that their number does not grow with policies."""
