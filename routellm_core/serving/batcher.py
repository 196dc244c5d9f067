"""Micro-batching: what waits is handed to the router together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import RouteLLMError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")


class BusyError(RouteLLMError):
    """Too much waits already, or something has waited too long."""


@dataclass
class _Waiting(Generic[K, T]):
    key: K
    item: T
    size: int
    until: float
    future: asyncio.Future[Any]


class Batcher(Generic[K, T, R]):
    """Runs work on threads, one call for all that waits; for one event loop.

    Nothing is held back so that more may come: a batch is what came while all threads were busy.

    Args:
        work: takes items that share a key, and returns an outcome for each, in their order; an
            exception among them is raised to whoever waits for it.
        most: most that one batch holds, in sizes of items; an item that is larger is one by itself.
        waiting: most that may wait.
        wait_s: longest that an item waits before its work begins, in seconds.
    """

    def __init__(
        self,
        work: Callable[[K, list[T]], Sequence[R | Exception]],
        *,
        most: int,
        waiting: int,
        wait_s: float,
    ) -> None:
        self._work = work
        self._most = most
        self._most_waiting = waiting
        self._wait_s = wait_s
        self._queue: deque[_Waiting[K, T]] = deque()
        self._size = 0
        self._running = 0
        self._pool: ThreadPoolExecutor | None = None
        self.noted: Callable[[int], object] = lambda size: None
        """Told the size of each batch."""

    @property
    def waiting(self) -> int:
        """How much waits."""
        return self._size

    async def done(self, key: K, item: T, size: int, threads: int) -> R:
        """Return the outcome of the work on an item.

        Args:
            key: only items of one key are batched.
            item: to be worked on.
            size: how much it counts, 1 or more.
            threads: most calls of the work at once.

        Raises:
            BusyError: too much waits already, or it has waited too long.
            Exception: what its outcome was.
        """
        if self._queue and self._size + size > self._most_waiting:
            raise BusyError("too many prompts are waiting: try again later")
        future = asyncio.get_running_loop().create_future()
        until = time.monotonic() + self._wait_s
        self._queue.append(_Waiting(key, item, size, until, future))
        self._size += size
        self._start(threads)
        outcome: R = await future
        return outcome

    def close(self) -> None:
        """End the threads, once their work is done."""
        if self._pool is not None:
            self._pool.shutdown()

    def _start(self, threads: int) -> None:
        while self._running < threads and (batch := self._next()):
            if self._pool is None:
                self._pool = ThreadPoolExecutor(threads, thread_name_prefix="routellm-batch")
            self._running += 1
            self.noted(sum(each.size for each in batch))
            items = [each.item for each in batch]
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._pool, self._work, batch[0].key, items)
            running.add_done_callback(partial(self._ended, batch, threads))

    def _next(self) -> list[_Waiting[K, T]]:
        """Take the next batch out of what waits."""
        batch: list[_Waiting[K, T]] = []
        size = 0
        while self._queue:
            first = self._queue[0]
            if batch and (first.key != batch[0].key or size + first.size > self._most):
                break
            self._queue.popleft()
            self._size -= first.size
            if first.future.done():  # nobody waits for it any more
                continue
            if time.monotonic() > first.until:
                first.future.set_exception(BusyError("it has waited too long: ask again later"))
                continue
            batch.append(first)
            size += first.size
        return batch

    def _ended(
        self,
        batch: list[_Waiting[K, T]],
        threads: int,
        running: asyncio.Future[Sequence[R | Exception]],
    ) -> None:
        self._running -= 1
        error = running.exception()
        outcomes: Sequence[Any] = [error] * len(batch) if error else running.result()
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.future.done():
                continue
            if isinstance(outcome, BaseException):
                each.future.set_exception(outcome)
            else:
                each.future.set_result(outcome)
        self._start(threads)
