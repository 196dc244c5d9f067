"""Make calls in the background: so many at once, so many a minute, each within its time."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

from ..store.kept import Answer

_LOOK_S = 1.0
"""How often overdue calls are looked for."""


class OverdueError(Exception):
    """A call gave no answer within its time."""


@dataclass(eq=False)
class Job:
    """A call that is to be made."""

    make: Callable[[], Answer]
    """Makes the call. Raises whatever the model raises."""
    settle: Callable[[Answer | BaseException], None]
    """Is told the answer, or the error or ``OverdueError`` in its place, once, on a thread of the
    background."""
    late: Callable[[], None]
    """Is called instead where the answer comes after its time."""
    size: int
    """Bytes that it holds."""
    settled: bool = field(default=False, init=False)
    """Whether its outcome is certain."""
    told: bool = field(default=False, init=False)
    """Whether ``settle`` has returned."""


class Calls:
    """Jobs that wait, and those that run, each on a daemon thread that no other has meanwhile.

    A call that does not return within its time is settled, and goes on holding its place, so that
    there are never more than ``concurrency`` of them.

    Args:
        concurrency: calls at once.
        per_minute: calls a minute; they start evenly spaced.
        timeout_s: time of a call, in seconds.
        waiting: jobs that may wait.
        most_bytes: what the jobs that wait or run may hold together.
    """

    _started: bool
    _held: int
    _idle: int

    def __init__(
        self,
        concurrency: int,
        per_minute: float,
        timeout_s: float,
        waiting: int,
        most_bytes: int,
    ) -> None:
        self._concurrency = concurrency
        self._spacing_s = 60.0 / per_minute
        self._timeout_s = timeout_s
        self._most = waiting
        self._most_bytes = most_bytes
        self._reset()
        _all.add(self)

    def offer(self, job: Job) -> str | None:
        """Queue a job without waiting; returns None, or why there is no room: ``queue`` or
        ``memory``.
        """
        with self._changed:
            if self._held + job.size > self._most_bytes:
                return "memory"
            # A place that is free at once is not one in the queue.
            free = max(0, self._concurrency - len(self._running))
            if len(self._waiting) >= self._most + free:
                return "queue"
            self._held += job.size
            self._waiting.append(job)
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="routellm-shadow", daemon=True).start()
            self._changed.notify_all()
        return None

    def idle(self, timeout_s: float) -> bool:
        """Wait until every job is settled; returns whether that was in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting or any(not job.told for job in self._running):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _LOOK_S))
        return True

    def _reset(self) -> None:
        self._waiting: deque[Job] = deque()
        self._running: dict[Job, float] = {}
        """With the time at which each is overdue."""
        self._handed: SimpleQueue[Job] = SimpleQueue()
        """Jobs that are started, for the threads that are idle."""
        self._changed = threading.Condition()
        self._started = False
        self._held = self._idle = 0
        self._next_start = 0.0

    def _run(self) -> None:
        while True:
            with self._changed:
                while (wait := self._before_next()) > 0:
                    self._changed.wait(min(wait, _LOOK_S))
                    overdue = self._overdue()
                    if overdue:
                        break
                else:
                    overdue = self._overdue()
                    self._start(self._waiting.popleft())
            for job in overdue:
                job.settle(OverdueError())
                job.told = True
            if overdue:
                with self._changed:
                    self._changed.notify_all()

    def _before_next(self) -> float:
        """Return the seconds until a job may start."""
        if not self._waiting or len(self._running) >= self._concurrency:
            return _LOOK_S
        return self._next_start - time.monotonic()

    def _overdue(self) -> list[Job]:
        now = time.monotonic()
        found = [job for job, end in self._running.items() if now >= end and not job.settled]
        for job in found:
            job.settled = True
        return found

    def _start(self, job: Job) -> None:
        now = time.monotonic()
        self._next_start = max(now, self._next_start) + self._spacing_s
        self._running[job] = now + self._timeout_s
        self._handed.put(job)
        if self._idle:  # to start a thread takes longer than all else that is done for a call
            self._idle -= 1
        else:
            threading.Thread(target=self._work, name="routellm-shadow-call", daemon=True).start()

    def _work(self) -> None:
        handed = self._handed
        while handed is self._handed:  # else this is a fork
            self._make(handed.get())

    def _make(self, job: Job) -> None:
        outcome: Answer | BaseException
        try:
            outcome = job.make()
        except BaseException as error:  # SystemExit would end this thread with its job unsettled
            outcome = error
        with self._changed:
            late, job.settled = job.settled, True
        goes_on = False  # a thread that raises ends here
        try:
            if not late:
                job.settle(outcome)
            elif isinstance(outcome, Answer):
                job.late()
            goes_on = True
        finally:
            with self._changed:
                if self._running.pop(job, None) is not None:  # else this is a fork
                    self._held -= job.size
                    self._idle += goes_on
                self._changed.notify_all()


_all: weakref.WeakSet[Calls] = weakref.WeakSet()


def _forget_threads() -> None:
    for calls in list(_all):
        calls._reset()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    # A fork copies what waits, which the parent makes, and not the threads.
    os.register_at_fork(after_in_child=_forget_threads)
