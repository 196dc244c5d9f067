"""The other model's calls: within their money, time and number, and of harm to nobody."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from routellm_core.traffic.shadow.calls import Calls, Job
from routellm_core.traffic.shadow.settings import ShadowSettings
from routellm_core.traffic.shadow.shadow import shadow_of as shadow_of_route
from routellm_core.traffic.store.kept import Answer
from routellm_core.traffic.store.store import Store
from tests.traffic.exchanges import answer, request
from tests.traffic.shadows import dear, errors, other, raising, shadow_of


def test_both_answers_are_kept(path: str):
    shadow = shadow_of(path)
    shadow.keep(request(), answer(), other(lambda: dear(0.5)))
    assert shadow.flush()
    rows = {row["tier"]: row for row in Store(path).sampled()}
    assert rows["strong"]["text"] == rows["weak"]["text"] == "Because."
    assert [rows["weak"]["shadow"], rows["strong"]["shadow"]] == [0, 1]
    assert Store(path).spent("chat") == 0.5


def test_of_what_is_not_sampled_no_text_is_kept_and_nothing_is_called(path: str):
    shadow, called = shadow_of(path, sample=0.25), []
    shadow.keep(
        request(sampled=False, propensity=0.25),
        answer(),
        other(lambda: called.append(1) or dear(1)),
    )
    assert shadow.flush()
    (kept,) = Store(path).requests()
    assert (kept["sampled"], kept["propensity"], called) == (0, 0.25, [])
    content = b"".join(file.read_bytes() for file in Path(path).parent.glob("traffic.db*"))
    assert b"sky" not in content
    assert b"Because" not in content


def test_the_share_that_is_drawn_is_the_one_that_was_asked_for(path: str):
    shadow = shadow_of(path, sample=0.05)
    drawn = sum(shadow.draws(0.05) for _ in range(20_000))
    assert 800 < drawn < 1200  # six standard deviations


def test_the_budget_holds_whatever_is_asked_at_once(path: str):
    at_once, most, lock = 0, 0, threading.Lock()

    def make() -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.005)
        with lock:
            at_once -= 1
        return dear(0.1)

    shadow = shadow_of(path, budget_usd=1.0, waiting=1000, concurrency=4)
    for n in range(60):
        shadow.keep(request(f"r{n}"), answer(), other(make, estimate_usd=0.1))
    assert shadow.flush(60)
    assert 1 < most <= 4
    assert Store(path).spent("chat") == pytest.approx(1.0)
    assert errors(path) == {None: 10, "budget": 50}


def test_calls_that_cost_more_than_was_thought_exceed_it_by_those_in_flight_alone(path: str):
    shadow = shadow_of(path, budget_usd=1.0, waiting=1000, concurrency=3)
    for n in range(30):
        shadow.keep(request(f"r{n}"), answer(), other(lambda: dear(0.4), estimate_usd=0.001))
    assert shadow.flush(60)
    assert Store(path).spent("chat") <= 1.0 + 3 * 0.4


def test_the_budget_is_one_for_all_processes_and_is_not_renewed(path: str):
    Store(path).charge("chat", 0.95)  # by another process, or before a restart
    shadow = shadow_of(path, budget_usd=1.0)
    shadow.keep(request(), answer(), other(lambda: dear(0.1), estimate_usd=0.1))
    assert shadow.flush()
    assert errors(path) == {"budget": 1}


def test_a_model_without_a_price_is_not_called(path: str, caplog):
    shadow = shadow_of(path)
    for n in range(3):
        shadow.keep(request(f"r{n}"), answer(), other(lambda: dear(1), estimate_usd=None))
    assert shadow.flush()
    assert errors(path) == {"price": 3}
    assert [record.message for record in caplog.records if "strong_price" in record.message]
    assert len(caplog.records) == 1


def test_a_model_that_fails_is_a_row_and_nothing_else(path: str):
    shadow = shadow_of(path)
    for n, error in enumerate((RuntimeError("down"), SystemExit(3))):
        shadow.keep(request(f"r{n}"), answer(), other(raising(error)))
    assert shadow.flush()
    assert errors(path) == {"error:RuntimeError": 1, "error:SystemExit": 1}


def test_a_model_that_hangs_holds_its_places_and_no_more(path: str):
    release = threading.Event()

    def make() -> Answer:
        release.wait(30)
        return dear(0.3)

    shadow = shadow_of(path, timeout_s=0.05, concurrency=2, waiting=3)
    before = threading.active_count()
    for n in range(50):
        shadow.keep(request(f"r{n}"), answer(), other(make, estimate_usd=0.2))
    # Two are called, up to three wait; all others are turned away at once.
    assert threading.active_count() <= before + 4
    deadline = time.monotonic() + 10
    while errors(path)["timeout"] < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    found = errors(path)
    assert found["timeout"] == 2
    assert found["queue"] >= 45
    assert Store(path).spent("chat") == pytest.approx(0.4)  # the provider may charge for them
    release.set()
    assert shadow.flush(60)
    assert len(list(Store(path).requests())) == 50  # nothing of the users' is lost
    assert sum(errors(path).values()) == 50


def test_what_comes_too_late_is_charged_at_what_it_cost(path: str):
    done = threading.Event()

    def make() -> Answer:
        done.wait(30)
        return dear(0.3)

    shadow = shadow_of(path, timeout_s=0.05)
    shadow.keep(request(), answer(), other(make, estimate_usd=0.2))
    assert shadow.flush()
    assert errors(path) == {"timeout": 1}
    done.set()
    deadline = time.monotonic() + 10
    while Store(path).spent("chat") != pytest.approx(0.3) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert Store(path).spent("chat") == pytest.approx(0.3)
    assert errors(path) == {"timeout": 1}


def test_the_bytes_that_wait_are_bounded(path: str):
    release = threading.Event()

    def make() -> Answer:
        release.wait(30)
        return dear(0)

    shadow = shadow_of(path, waiting=1000, concurrency=1)
    for n in range(10):
        shadow.keep(request(f"r{n}"), answer(), other(make, size=10 << 20))
    release.set()
    assert shadow.flush(60)
    assert errors(path) == {None: 6, "memory": 4}


def test_calls_start_evenly_spaced():
    started: list[float] = []

    def make() -> Answer:
        started.append(time.monotonic())
        return dear(0)

    calls = Calls(concurrency=8, per_minute=1200, timeout_s=5, waiting=100, most_bytes=1000)
    for _ in range(6):
        assert calls.offer(Job(make, lambda outcome: None, lambda: None, 1)) is None
    assert calls.idle(30)
    # Sleeping may only take longer.
    assert max(started) - min(started) >= 5 * 0.05 * 0.9


def test_calls_one_after_the_other_share_a_thread():
    threads: list[int] = []

    def make() -> Answer:
        threads.append(threading.get_ident())
        return dear(0)

    calls = Calls(concurrency=4, per_minute=1e6, timeout_s=5, waiting=100, most_bytes=1000)
    for _ in range(5):
        assert calls.offer(Job(make, lambda outcome: None, lambda: None, 1)) is None
        assert calls.idle(30)
    assert len(set(threads)) == 1


def test_a_thread_that_dies_takes_no_later_call_with_it(monkeypatch: pytest.MonkeyPatch):
    told: list[Answer | BaseException] = []
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)

    def broken(outcome: Answer | BaseException) -> None:
        raise RuntimeError("not ours")

    calls = Calls(concurrency=1, per_minute=1e6, timeout_s=5, waiting=100, most_bytes=1000)
    for settle in (broken, told.append, broken, told.append):
        assert calls.offer(Job(lambda: dear(0), settle, lambda: None, 1)) is None
        assert calls.idle(30)
    assert len(told) == 2
    deadline = time.monotonic() + 10
    while len(died) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(died) == 2


def test_a_call_costs_its_store_one_statement_before_and_one_after(path: str):
    shadow, statements = shadow_of(path), []
    shadow.keep(request("first"), answer(), other(lambda: dear(0.1)))
    assert shadow.flush()
    shadow._writer.store._database._connection().set_trace_callback(statements.append)
    shadow.keep(request("second"), answer(), other(lambda: dear(0.1)))
    deadline = time.monotonic() + 10
    while Store(path).spent("chat") < 0.15 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert shadow.flush()
    assert [each.split()[0] for each in statements if "routes" in each] == ["SELECT", "INSERT"]


def test_a_store_that_fails_harms_nobody_and_spends_nothing(path: str, monkeypatch, caplog):
    shadow, called = shadow_of(path), []

    def broken(*args: object) -> Any:
        raise OSError("disk full")

    monkeypatch.setattr(shadow._writer.store, "spent", broken)
    shadow.keep(request(), answer(), other(lambda: called.append(1) or dear(1)))
    assert shadow.flush()
    assert errors(path) == {"error:OSError": 1}
    assert called == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_worker_keeps_and_calls_too(path: str):
    shadow = shadow_of(path)
    shadow.keep(request("parent"), answer(), other(lambda: dear(0.1)))
    assert shadow.flush()
    child = os.fork()
    if not child:
        shadow.keep(request("child"), answer(), other(lambda: dear(0.1)))
        os._exit(0 if shadow.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert {row["request_id"] for row in Store(path).requests()} == {"parent", "child"}
    assert Store(path).spent("chat") == pytest.approx(0.2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_does_not_pay_for_its_parents_calls_in_flight(path: str):
    release, values = threading.Event(), {"sample": 1.0, "budget_usd": 1.0, "store": path}
    shadow = shadow_of_route("forked", ShadowSettings(**values, per_minute=1e6))

    def make() -> Answer:
        release.wait(30)
        return dear(0.0)

    shadow.keep(request("parent"), answer(), other(make, estimate_usd=1.0))
    deadline = time.monotonic() + 10
    while not shadow._reserved and time.monotonic() < deadline:
        time.sleep(0.01)
    child = os.fork()
    if not child:
        shadow.keep(request("child"), answer(), other(lambda: dear(0.1), estimate_usd=0.5))
        os._exit(0 if shadow.flush() and not errors(path)["budget"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    release.set()
    assert shadow.flush()
