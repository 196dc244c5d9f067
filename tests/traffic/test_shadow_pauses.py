"""A model that fails again and again is let alone for a while."""

from __future__ import annotations

import threading
import time
from functools import partial

import numpy as np
import pytest

from routellm_core.traffic.report.figures import figures_of
from routellm_core.traffic.report.requests import requests_of
from routellm_core.traffic.shadow import shadow as shadow_module
from routellm_core.traffic.store.kept import Answer, Feedback
from routellm_core.traffic.store.store import Store
from tests.traffic.exchanges import answer, request
from tests.traffic.shadows import dear, errors, other, raising, shadow_of


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
        shadow.keep(request(f"r{n}"), answer(), other(raising(RefusalError())))
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
