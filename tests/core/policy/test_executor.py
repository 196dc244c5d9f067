"""Slow scoring: threads, time budgets, and routers that hang."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from functools import partial

import numpy as np
import pytest

from routellm_core import Router, RoutingPolicy, ScoringTimeoutError, hookimpl
from routellm_core.policy.executor import Executor, executor_of
from tests.fakes.scripted import policy_of, routers_of


class _Slow(Router):
    def score(self, prompts):
        time.sleep(0.1)
        return np.full(len(prompts), 0.7)


async def test_a_slow_router_does_not_hold_up_the_event_loop(scripted):
    policy = policy_of("hang", timeout_ms=1_000)
    task = asyncio.create_task(policy.adecide("x"))
    beats = 0
    while not task.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert beats > 10
    assert task.result().cause == "error:ScoringTimeoutError"


async def test_a_plugin_that_hangs_is_within_the_budget_even_for_an_instant_router(plugin):
    release = threading.Event()

    class Hanging:
        @hookimpl
        def routellm_score(self):
            release.wait(30)

    plugin(Hanging())
    policy = RoutingPolicy("random", threshold=0.5, timeout_ms=50)
    start = time.perf_counter()
    decision = await policy.adecide("x")
    assert time.perf_counter() - start < 25
    assert decision.cause == "error:ScoringTimeoutError"
    release.set()


async def test_a_cancelled_request_leaves_the_scorer_usable(scripted):
    policy = policy_of("hang", timeout_ms=10_000)
    task = asyncio.create_task(policy.adecide("x"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await policy_of("fixed").adecide("x")).score == 0.7


def test_when_every_thread_is_stuck_requests_are_turned_away_at_once():
    threads = Executor(size=2)
    release = threading.Event()

    def hang() -> float:
        release.wait(30)
        return 0.5

    stuck = [threads.submit(hang) for _ in range(2)]
    while not all(future.running() for future in stuck):
        time.sleep(0.001)
    for future in stuck:
        threads.abandon(future)
    with pytest.raises(ScoringTimeoutError, match="all 2 scoring threads are stuck"):
        threads.submit(hang)
    release.set()
    for future in stuck:
        assert future.result(30) == 0.5
    assert threads.submit(lambda: 0.25).result(30) == 0.25


async def test_calls_that_their_clients_dropped_turn_nobody_away(plugin):
    """Work that was abandoned before its time is over holds a thread, which is not stuck yet."""
    release = threading.Event()

    class Waits(Router):
        def score(self, prompts):
            release.wait(30 if prompts == ["dropped"] else 0)
            return np.full(len(prompts), 0.7)

    plugin(routers_of(waits=Waits))
    policy = RoutingPolicy("waits", threshold=0.5, timeout_ms=30_000, concurrency=1)
    dropped = asyncio.create_task(policy.adecide("dropped"))
    await asyncio.sleep(0.05)
    dropped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dropped
    kept = asyncio.create_task(policy.adecide("kept"))
    await asyncio.sleep(0.05)
    release.set()
    assert ((await kept).cause, policy.errors) == ("score", Counter())


def test_a_process_that_ends_while_native_code_scores_is_not_aborted():
    pytest.importorskip("onnxruntime")
    script = """
import asyncio
from routellm_core import RoutingPolicy

async def main():
    policy = RoutingPolicy("bert", strong_share=0.5)
    await policy.adecide("warm")
    calls = [asyncio.create_task(policy.adecide(f"{i} " + "word " * 400)) for i in range(2)]
    await asyncio.sleep(0.004)
    for call in calls:
        call.cancel()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_threads_are_shared_by_all_policies_of_a_router(scripted):
    before = threading.active_count()
    for _ in range(10):
        policy_of("fixed").decide("x")
    assert threading.active_count() - before <= 1


async def test_eighty_calls_at_once_of_a_healthy_slow_router_are_all_scored(plugin):
    plugin(routers_of(slow=_Slow))
    policy = RoutingPolicy("slow", threshold=0.5)
    decisions = await asyncio.gather(*(policy.adecide(f"text {i}") for i in range(80)))
    assert Counter(decision.cause for decision in decisions) == {"score": 80}


async def test_hung_calls_of_one_router_leave_another_alone(plugin, stuck):
    plugin(routers_of(slow=_Slow))
    hanging = RoutingPolicy(stuck, threshold=0.5, timeout_ms=50, concurrency=4)
    for _ in range(2):
        decisions = await asyncio.gather(*(hanging.adecide("x") for _ in range(4)))
        assert {decision.cause for decision in decisions} == {"error:ScoringTimeoutError"}
    assert (await RoutingPolicy("slow", threshold=0.5).adecide("x")).cause == "score"


async def test_a_router_says_how_many_calls_it_takes_at_once(plugin):
    running, most, lock = 0, 0, threading.Lock()

    class Counting(Router):
        concurrency = 3

        def score(self, prompts):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1
            return np.full(len(prompts), 0.5)

    plugin(routers_of(few=Counting))
    policy = RoutingPolicy("few", threshold=0.5, timeout_ms=20_000)
    await asyncio.gather(*(policy.adecide("x") for _ in range(12)))
    assert most == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_worker_of_a_process_that_has_scored_scores(plugin):
    plugin(routers_of(slow=_Slow))
    policy = RoutingPolicy("slow", threshold=0.5, timeout_ms=5_000)
    assert policy.decide("x").cause == "score"
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if not child:
        os.write(writer, policy.decide("y").cause.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"score"


def test_a_stuck_scorer_does_not_keep_the_process_from_ending(tmp_path):
    import subprocess
    import sys

    code = """
import time, numpy as np
from routellm_core import Router, RoutingPolicy, hookimpl, register_plugin
class Hang(Router):
    def score(self, prompts): time.sleep(60)
class Plugin:
    @hookimpl
    def routellm_register_routers(self, register): register("hang", Hang)
register_plugin(Plugin())
print(RoutingPolicy("hang", threshold=0.5, timeout_ms=20).decide("x").cause)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.stdout == "error:ScoringTimeoutError\n"


def test_the_threads_of_a_router_end_with_it():
    """Else every checkpoint that was taken up would leave its threads behind."""
    router, before = _Slow(), set(threading.enumerate())
    executor = executor_of(router, 4)
    futures = [executor.submit(partial(router.score, ["x"])) for _ in range(8)]
    assert [float(future.result(60)[0]) for future in futures] == [0.7] * 8
    threads = set(threading.enumerate()) - before
    assert len(threads) == 4
    del router, futures
    for _ in range(200):
        gc.collect()
        if not any(thread.is_alive() for thread in threads):
            return
        time.sleep(0.01)
    raise AssertionError("threads are left")
