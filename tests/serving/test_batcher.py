"""What waits is worked on together, within limits, and nothing is lost or mixed up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

pytest.importorskip("prometheus_client")

from routellm_core.serving.batcher import Batcher, BusyError


class Held:
    """Doubles numbers, once it is released; keeps the batches that it got."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.batches: list[tuple[str, list[int]]] = []

    def __call__(self, key: str, items: list[int]) -> list[int | Exception]:
        self.batches.append((key, items))
        self.release.wait(30)
        return [ValueError(str(item)) if item < 0 else 2 * item for item in items]


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def make(held: Held) -> Callable[..., Batcher[str, int, int]]:
    def batcher(most: int = 4, waiting: int = 100, wait_s: float = 60) -> Batcher[str, int, int]:
        return Batcher(held, most=most, waiting=waiting, wait_s=wait_s)

    return batcher


async def asked(batcher: Batcher[str, int, int], *items: int, key: str = "a") -> list[object]:
    """Ask for each, in this order; returns the tasks."""
    tasks: list[object] = []
    for item in items:
        tasks.append(asyncio.ensure_future(batcher.done(key, item, 1, 1)))
        await asyncio.sleep(0)
    return tasks


async def test_what_came_meanwhile_is_one_batch(make: Callable[..., object], held: Held) -> None:
    batcher = make()
    sizes: list[int] = []
    batcher.noted = sizes.append
    tasks = await asked(batcher, *range(10))
    assert batcher.waiting == 9
    held.release.set()
    assert await asyncio.gather(*tasks) == [2 * item for item in range(10)]
    assert held.batches == [("a", [0]), ("a", [1, 2, 3, 4]), ("a", [5, 6, 7, 8]), ("a", [9])]
    assert sizes == [1, 4, 4, 1]
    assert batcher.waiting == 0


async def test_items_of_different_keys_are_apart(make: Callable[..., object], held: Held) -> None:
    batcher = make()
    tasks = [*await asked(batcher, 0, 1, 2), *await asked(batcher, 3, 4, key="b")]
    held.release.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert held.batches == [("a", [0]), ("a", [1, 2]), ("b", [3, 4])]


async def test_a_failure_is_that_of_its_item(make: Callable[..., object], held: Held) -> None:
    batcher = make()
    tasks = await asked(batcher, 0, 1, -2, 3)
    held.release.set()
    first, second, failed, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, second, last) == (0, 2, 6)
    assert isinstance(failed, ValueError)


async def test_work_that_raises_fails_its_batch_alone() -> None:
    def work(key: str, items: list[int]) -> list[int | Exception]:
        if -1 in items:
            raise RuntimeError("no")
        return [*items]

    batcher: Batcher[str, int, int] = Batcher(work, most=1, waiting=9, wait_s=60)
    tasks = await asked(batcher, 1, -1, 2)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[0::2] == [1, 2]
    assert isinstance(outcomes[1], RuntimeError)


async def test_more_than_may_wait_is_refused(make: Callable[..., object], held: Held) -> None:
    batcher = make(waiting=3)
    tasks = await asked(batcher, 0, 1, 2, 3)
    with pytest.raises(BusyError, match="too many prompts are waiting"):
        await batcher.done("a", 4, 1, 1)
    held.release.set()
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
    assert await batcher.done("a", 50, 50, 1) == 100  # large, but nothing waits


async def test_what_has_waited_too_long_is_dropped(make: Callable[..., object], held: Held) -> None:
    batcher = make(wait_s=0.01)
    tasks = await asked(batcher, 0, 1)
    await asyncio.sleep(0.05)
    held.release.set()
    first, late = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, type(late)) == (0, BusyError)
    assert held.batches == [("a", [0])]


async def test_what_nobody_waits_for_is_dropped(make: Callable[..., object], held: Held) -> None:
    batcher = make()
    tasks = await asked(batcher, 0, 1, 2)
    tasks[1].cancel()
    held.release.set()
    assert await asyncio.gather(tasks[0], tasks[2]) == [0, 4]
    assert held.batches == [("a", [0]), ("a", [2])]
