"""What calls cost on two models with a prompt cache each, beside a simulation call by call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from routellm_core.rules.prices import Price, price_of
from routellm_core.traffic.audit.caches import (
    Flow,
    flow_of,
    kept_strong,
    spent,
    without_caches,
)
from routellm_core.traffic.audit.columns import COLUMNS, Calls
from routellm_core.traffic.audit.result import _ratio
from routellm_core.traffic.audit.threads import threads_of

NAN = float("nan")
PRICES = (Price(10.0, 30.0, 1.0, 12.5), Price(1.0, 3.0, 0.1, 1.25))


def calls(**columns: Any) -> Calls:
    n = len(columns["given"])
    given = {
        "scores": np.full(n, 0.5),
        "answered": np.full(n, 100.0),
        "cached": np.full(n, NAN),
        "written": np.full(n, NAN),
        "when": np.arange(n, dtype=float),
        "spend": np.full(n, NAN),
        "conversation": np.zeros(n, np.uint64),
        "answer": np.zeros(n, np.uint64),
        "messages": np.arange(1, n + 1, dtype=np.uint32),
        **{name: np.array(values) for name, values in columns.items()},
    }
    return Calls(
        **given,
        labels={name: np.zeros(n, np.uint16) for name in COLUMNS},
        names=dict.fromkeys(COLUMNS, ("any",))
        | {"turn": ("any", "side call (title, summary, ...)")},
        predicted=0,
        digest="",
        failed=0,
    )


def simulated(flow: Flow, is_strong: Any, prices: Any) -> tuple[list[float], list[float]]:
    """The same by one call after another, each model's cache a record of what it served last."""
    dollars, cached = [], []
    served: dict[bool, int] = {}
    for at in range(len(flow.given)):
        if flow.begins[at] == at:
            served = {}
        model = bool(is_strong[at])
        shared = min(flow.cached[at], flow.cached[flow.begins[at]])
        found = shared
        if model in served:
            last = served[model]
            if last == at - 1:
                found = flow.cached[at]
            elif not flow.when[at] - flow.when[last] > flow.idle_s:
                found = max(shared, min(flow.cached[at], flow.given[last]))
        served[model] = at
        price = prices[0] if model else prices[1]
        written = min(flow.written[at] + flow.cached[at] - found, flow.given[at] - found)
        rest = flow.given[at] - found - written
        cost = rest * price.given + found * price.cached + written * price.written
        dollars.append((cost + flow.answered[at] * price.answered) / 1e6)
        cached.append(found)
    return dollars, cached


@pytest.mark.parametrize("logged", [True, False])
def test_as_a_simulation_call_by_call(logged):
    rng = np.random.default_rng(int(logged))
    n = 3_000
    conversation = rng.integers(0, 300, n).astype(np.uint64)
    when = rng.uniform(0, 40_000, n)
    when[::50] = NAN
    messages = rng.integers(1, 40, n).astype(np.uint32)
    given = rng.integers(0, 8_000, n).astype(float)
    cached = np.minimum(rng.integers(0, 8_000, n), given) if logged else np.full(n, NAN)
    flow = flow_of(
        calls(given=given, cached=cached, conversation=conversation, when=when, messages=messages),
        300.0,
        idle_s=300.0,
    )
    for share in (0.0, 0.3, 0.7, 1.0):
        is_strong = rng.random(n) < share
        found = spent(flow, is_strong, PRICES)
        dollars, tokens = simulated(flow, is_strong, PRICES)
        np.testing.assert_allclose(found.dollars, dollars)
        np.testing.assert_allclose(found.cached, tokens)
    kept = kept_strong(flow, is_strong)
    assert not (is_strong & ~kept).any()


def test_one_model_alone_costs_what_the_log_says():
    flow = flow_of(
        calls(given=[2_000.0, 2_200.0], cached=[1_500.0, 2_000.0], written=[400.0, 100.0]), 0, 300
    )
    found = spent(flow, np.ones(2, bool), PRICES)
    first = (100 * 10 + 1_500 * 1 + 400 * 12.5 + 100 * 30) / 1e6
    second = (100 * 10 + 2_000 * 1 + 100 * 12.5 + 100 * 30) / 1e6
    np.testing.assert_allclose(found.dollars, [first, second])


def test_going_weak_on_a_cold_prefix_may_cost_more_than_staying():
    """A long conversation at a price ratio of 5: one weak call in between does not pay."""
    prices = (price_of("3,15", "0.3,3.75"), price_of("0.6,3", "0.06,0.75"))
    flow = flow_of(calls(given=[50_000.0, 50_100.0, 50_200.0], answered=[10.0] * 3), 0, 300)
    strong = np.ones(3, bool)
    once = np.array([True, False, True])
    assert spent(flow, once, prices).dollars.sum() > spent(flow, strong, prices).dollars.sum()
    assert without_caches(flow, once, prices).sum() < without_caches(flow, strong, prices).sum()


def test_what_the_log_does_not_say_is_predicted():
    found = flow_of(
        calls(
            given=[500.0, 2_000.0, 2_500.0, 3_000.0, 4_000.0],
            when=[0.0, 10.0, 20.0, 1_000.0, 1_010.0],
            messages=[1, 3, 5, 7, 2],
        ),
        100.0,
        idle_s=300.0,
    )
    # Too short; warm; cold after 980 s; fewer messages: another conversation.
    assert found.cached.tolist() == [0.0, 0.0, 2_000.0, 0.0, 0.0]
    assert found.written.tolist() == [0.0, 2_000.0, 0.0, 0.0, 0.0]
    assert found.begins.tolist() == [0, 0, 0, 0, 4]
    assert found.logged == 0


def test_conversations_that_begin_alike_are_told_apart():
    """Three that begin with the same words, one of them of a single call, interleaved."""
    answers = np.array([0, 0, 7, 0, 9, 7, 9], np.uint64)
    messages = np.array([1, 1, 3, 1, 3, 5, 5], np.uint32)
    when = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    ids = threads_of(calls(given=[2_000.0] * 7, answer=answers, messages=messages, when=when))
    assert ids[1] == ids[2] == ids[5]
    assert ids[3] == ids[4] == ids[6]
    assert len(set(ids.tolist())) == 3
    shuffled = np.random.default_rng(0).permutation(7)
    again = threads_of(
        calls(
            given=[2_000.0] * 7,
            answer=answers[shuffled],
            messages=messages[shuffled],
            when=when[shuffled],
        )
    )
    assert again.tolist() == ids[shuffled].tolist()


def test_a_price_without_that_of_a_cache_counts_in_full():
    flow = flow_of(calls(given=[2_000.0, 2_200.0], cached=[0.0, 2_000.0]), 0, 300)
    plain = (Price(10.0, 30.0), Price(1.0, 3.0))
    costs = spent(flow, np.ones(2, bool), plain).dollars
    np.testing.assert_allclose(costs, without_caches(flow, np.ones(2, bool), plain))


def test_intervals_hold_the_truth_over_conversations_of_any_length():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        lengths = rng.geometric(0.3, 150)
        clusters = np.repeat(np.arange(150), lengths)
        harder = np.repeat(rng.beta(0.5, 0.5, 150), lengths)  # conversations are alike within
        strong = (rng.random(len(clusters)) < harder).astype(float)
        found = _ratio(strong, np.ones(len(clusters)), clusters)
        held += found.low <= 0.5 <= found.high
    assert 0.92 <= held / 400 <= 0.975
