"""The other model's calls: within their money, time and number, and of harm to nobody."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core.traffic.report.figures import figures_of
from routellm_core.traffic.report.requests import requests_of
from routellm_core.traffic.shadow import shadow as shadow_module
from routellm_core.traffic.shadow.calls import Calls, Job
from routellm_core.traffic.shadow.settings import ShadowSettings
from routellm_core.traffic.shadow.shadow import OtherCall, Shadow
from routellm_core.traffic.shadow.shadow import shadow_of as shadow_of_route
from routellm_core.traffic.store.kept import Answer, Feedback
from routellm_core.traffic.store.store import Store
from tests.traffic.exchanges import answer, request


def shadow_of(path: str, **settings: Any) -> Shadow:
    values = {"sample": 1.0, "budget_usd": 10.0, "store": path, "per_minute": 1e6, **settings}
    return Shadow("chat", ShadowSettings(**values))


def other(make: Callable[[], Answer], estimate_usd: float | None = 0.0, size: int = 0) -> OtherCall:
    return OtherCall("strong", "strong-model", make, size, estimate_usd)


def dear(cost_usd: float) -> Answer:
    return answer("strong", cost_usd=cost_usd)


def errors(path: str) -> Counter[str | None]:
    return Counter(row["error"] for row in Store(path).answers() if row["shadow"])


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
        shadow.keep(request(f"r{n}"), answer(), other(_raising(error)))
    assert shadow.flush()
    assert errors(path) == {"error:RuntimeError": 1, "error:SystemExit": 1}


def _raising(error: BaseException) -> Callable[[], Answer]:
    def make() -> Answer:
        raise error

    return make


def test_a_model_that_fails_is_let_alone_and_tried_until_it_is_back(
    path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(shadow_module, "_PAUSE_S", 0.3)
    shadow, called, is_down = shadow_of(path, concurrency=1), [], True

    def make() -> Answer:
        called.append(1)
        if is_down:
            raise RuntimeError("down")
        return dear(0)

    def keep(n: int) -> None:
        shadow.keep(request(f"r{n}"), answer(), other(make))
        assert shadow.flush()

    for n in range(20):
        keep(n)
    assert 5 <= len(called) < 20
    while_down = len(called)
    time.sleep(0.35)
    keep(20)  # tried, once
    keep(21)
    assert len(called) == while_down + 1
    is_down = False
    time.sleep(0.35)
    for n in range(22, 26):
        keep(n)
    found = errors(path)
    assert found[None] == 4
    assert found["error:RuntimeError"] == while_down + 1
    assert found["paused"] == 26 - 4 - while_down - 1
    # LiteLLM, whose prices are read meanwhile, may have lines of its own.
    own = [each.message for each in caplog.records if each.name.startswith("routellm")]
    assert own == [
        "shadow mode of 'chat': the strong model is unavailable (error:RuntimeError): until it is "
        "back, requests that are drawn for it are kept without its answer, as 'paused'",
        "shadow mode of 'chat': the strong model is back",
    ]


def test_what_waits_when_a_model_turns_out_to_be_down_is_not_called(path: str):
    go, called = threading.Event(), []

    def make() -> Answer:
        go.wait(30)
        called.append(1)
        raise RuntimeError("down")

    shadow = shadow_of(path, concurrency=1, waiting=100)
    for n in range(30):
        shadow.keep(request(f"r{n}"), answer(), other(make, estimate_usd=0.1))
    go.set()
    assert shadow.flush(30)
    assert errors(path) == {"error:RuntimeError": 5, "paused": 25}
    assert shadow._reserved == pytest.approx(0.0)


def test_a_model_that_answers_that_it_does_not_take_requests_is_not_down(path: str):
    class RefusalError(Exception):
        status_code = 400

    shadow = shadow_of(path)
    for n in range(12):
        shadow.keep(request(f"r{n}"), answer(), other(_raising(RefusalError())))
    assert shadow.flush()
    assert errors(path) == {"error:RefusalError": 12}


def test_what_a_pause_leaves_out_does_not_bias_the_report(
    path: str, monkeypatch: pytest.MonkeyPatch
):
    """The weak model loses .3 on average, and the strong one is away for half of the traffic."""
    monkeypatch.setattr(shadow_module, "_PAUSE_S", 1.0)
    rng, store = np.random.default_rng(3), Store(path)
    shadow = shadow_of(path, waiting=1000)
    is_worse = rng.random(600) < 0.3
    is_drawn = rng.random(600) < 0.5

    def make(n: int) -> Answer:
        if 200 <= n < 500:
            raise RuntimeError("down")
        return dear(0)

    for n in range(600):
        if n in (200, 500):
            assert shadow.flush(30)
        if n == 500:
            time.sleep(1.1)
        asked = request(f"r{n}", sampled=bool(is_drawn[n]), propensity=0.5)
        shadow.keep(asked, answer(), other(partial(make, n)))
    assert shadow.flush(30)
    found = errors(path)
    assert found["paused"] > 100
    assert sum(found.values()) == is_drawn.sum()  # drawn, and not called, is kept as such
    answered = {row["request_id"] for row in store.answers() if row["shadow"] and not row["error"]}
    given = [(f"r{n}", worse) for n, worse in enumerate(is_worse) if f"r{n}" in answered]
    store.add_feedback(Feedback(name, 1.0, "strong") for name, _ in given)
    store.add_feedback(Feedback(name, float(not worse), "weak") for name, worse in given)
    (figures,) = (figures_of(each) for each in requests_of(store))
    assert figures.quality.loss is not None
    assert figures.quality.pairs == found[None] > 100
    assert figures.quality.loss.low <= 0.3 <= figures.quality.loss.high
    assert figures.shadow["paused"] == found["paused"]


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
