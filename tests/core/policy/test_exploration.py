"""Exploration, and what is estimated from it, beside a truth that is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from routellm_core import Asked, ConfigError, Decision, RoutingPolicy
from routellm_core.policy import exploration
from routellm_core.rules.prices import Price
from routellm_core.traffic.exploration.estimate import Explored, estimate
from routellm_core.traffic.exploration.sequences import asymptotic, lower_bound

PRICES = (Price(10.0, 30.0), Price(1.0, 3.0))
SHARE = 0.05


def test_a_share_of_calls_goes_to_the_other_model_at_random(monkeypatch):
    monkeypatch.setattr(exploration.time, "time", lambda: 1_793_613_600.0)
    policy = RoutingPolicy("random", threshold=0.5, explore=0.1)
    plain = RoutingPolicy("random", threshold=0.5)
    texts = [f"prompt {at}" for at in range(4_000)]
    found, chosen = policy.decide_many(texts), plain.decide_many(texts)
    explored = [each.cause == "exploration" for each in found]
    assert 0.08 < np.mean(explored) < 0.12
    for own, without, is_explored in zip(found, chosen, explored, strict=True):
        assert (own.tier != without.tier) == is_explored
        assert (own.score, own.threshold) == (without.score, without.threshold)
        assert own.propensity == pytest.approx(0.1 if is_explored else 0.9)
        assert without.propensity is None
    # The steps of an agent on one turn stay where the turn went.
    again = [policy.decide(text) for text in texts[:300]]
    assert [each.tier for each in again] == [each.tier for each in found[:300]]


def test_the_same_words_are_drawn_anew_later(monkeypatch):
    turns = [(f"prompt {at}",) for at in range(2_000)]
    now = [exploration.draw(0.3, each).is_other for each in turns]
    monkeypatch.setattr(exploration.time, "time", lambda: 10_000_000.0)
    later = [exploration.draw(0.3, each).is_other for each in turns]
    both = np.mean([a and b for a, b in zip(now, later, strict=True)])
    assert 0.06 < both < 0.12  # 0.09 if the two are independent


def test_what_is_not_scored_is_not_explored():
    policy = RoutingPolicy("random", threshold=0.5, explore=0.5)
    for asked in (
        Asked(),
        Asked(("x",), settled="weak"),
        Asked(("x",), lacking={"weak": "vision"}),
    ):
        decisions = [policy.decide(asked) for _ in range(50)]
        assert {each.propensity for each in decisions} == {None}
        assert len({each.tier for each in decisions}) == 1


def test_the_propensity_and_the_draw_travel_with_the_decision():
    found = RoutingPolicy("random", threshold=0.5, explore=0.01).decide("hello")
    metadata = found.as_metadata()
    assert (metadata["propensity"], metadata["draw"]) == (found.propensity, found.draw)
    assert Decision.from_metadata(metadata) == found
    plain = RoutingPolicy("random", threshold=0.5).decide("hi").as_metadata()
    assert not {"propensity", "draw"}.intersection(plain)


def test_calls_that_are_drawn_together_name_one_draw(monkeypatch):
    monkeypatch.setattr(exploration.time, "time", lambda: 1_793_613_600.0)
    policy = RoutingPolicy("random", threshold=0.5, explore=0.5)
    calls = [Asked((text,), before=of) for text in ("hello", "hi") for of in ("", "Be brief.")]
    found = policy.decide_many([*calls, Asked(("hello",), session="s"), Asked(("hello", "hello"))])
    names = [each.draw for each in found]
    assert names[0] == names[1]  # whatever the system prompt, and so the score
    assert len(set(names)) == 4
    assert all(len(name or "") == 12 for name in names)


def test_exploration_is_bounded():
    with pytest.raises(ConfigError, match=r"'explore' is 0\.9"):
        RoutingPolicy("random", threshold=0.5, explore=0.9)


def traffic(
    rng: np.random.Generator, n: int, judged: float = 1.0, explore: float = SHARE
) -> tuple[Explored, float, Any]:
    """Calls whose hidden quality falls with the score, more for the weak model; the true loss."""
    scores = rng.random(n)
    rights = {True: 0.95 - 0.15 * scores, False: 0.9 - 0.6 * scores**2}
    chosen = scores >= 0.7
    went = np.where(rng.random(n) < explore, ~chosen, chosen)
    quality = (rng.random(n) < np.where(went, rights[True], rights[False])).astype(float)
    quality[rng.random(n) >= judged] = np.nan
    given = rng.integers(50, 3_000, n).astype(float)
    # The weak model talks more.
    answered = rng.integers(100, 300, n) * np.where(went, 1.0, 1.5)
    propensity = np.where(went == chosen, 1 - explore, explore)
    calls = Explored(
        *(np.arange(n) * 10.0, scores, chosen, went, propensity, quality, given, answered),
        np.full(n, np.nan),
    )
    # Over scores that are spread evenly.
    grid = (np.arange(20_000) + 0.5) / 20_000
    loss = np.where(grid < 0.7, (0.95 - 0.15 * grid) - (0.9 - 0.6 * grid**2), 0).mean()
    strong = 1_524.5 * 10 + 199.5 * 30
    weak = 1_524.5 * 1 + 199.5 * 1.5 * 3
    return calls, float(loss), 1 - (0.3 * strong + 0.7 * weak) / strong


def first(calls: Explored, n: int) -> Explored:
    return Explored(*(getattr(calls, name)[:n] for name in Explored.__dataclass_fields__))


def test_estimates_are_unbiased_and_cover_the_truth_at_every_look():
    rng = np.random.default_rng(0)
    repetitions, looks = 200, (200, 500, 1_000, 2_000)
    missed = {"ips": 0, "dr": 0, "saving": 0}
    last: dict[str, list[float]] = {"ips": [], "dr": [], "saving": []}
    for _ in range(repetitions):
        calls, loss, saving = traffic(rng, looks[-1])
        wrong = dict.fromkeys(missed, False)
        for n in looks:
            found = estimate(first(calls, n), PRICES)
            assert found.saving is not None
            figures = {"ips": found.loss_ips, "dr": found.loss_dr, "saving": found.saving}
            for name, each in figures.items():
                truth = saving if name == "saving" else loss
                wrong[name] |= not each.low <= truth <= each.high
        for name in missed:
            missed[name] += wrong[name]
            last[name].append(figures[name].value)
    for name, truth in (("ips", loss), ("dr", loss), ("saving", saving)):
        assert 1 - missed[name] / repetitions >= 0.93, (name, missed)
        error = np.std(last[name]) / np.sqrt(repetitions)
        assert abs(np.mean(last[name]) - truth) < 4 * error + 0.002, name
    assert np.std(last["dr"]) < np.std(last["ips"])


def test_intervals_hold_from_the_first_look_on_where_little_is_explored():
    """One call in a hundred, so that at first none is, and then a few."""
    rng = np.random.default_rng(4)
    grid = (np.arange(20_000) + 0.5) / 20_000
    truths = {"strong": (0.95 - 0.15 * grid).mean(), "weak": (0.9 - 0.6 * grid**2).mean()}
    missed = dict.fromkeys(("loss_ips", "loss_dr", "strong", "weak"), 0)
    repetitions = 100
    for _ in range(repetitions):
        calls, loss, _ = traffic(rng, 4_000, explore=0.01)
        looks = [estimate(first(calls, n)) for n in (30, 100, 300, 700, 1_500, 2_500, 4_000)]
        for name in missed:
            bounds = [getattr(look, name) for look in looks]
            missed[name] += any(not b.low <= truths.get(name, loss) <= b.high for b in bounds)
    assert max(missed.values()) / repetitions <= 0.06, missed


JOB, EACH, FRESH = (0.1, 0.4, 0.65), 20, 20
"""Scores of the prompts that a job repeats, how often in an hour, and other calls in an hour."""


def job_traffic(rng: np.random.Generator, hours: int, explore: float) -> Explored:
    """As ``traffic``, but three quarters of the calls are of three prompts, drawn once an hour."""
    scores, explored = [], []
    for _ in range(hours):
        drawn = np.repeat(rng.random(len(JOB)) < explore, EACH), rng.random(FRESH) < explore
        order = rng.permutation(len(JOB) * EACH + FRESH)
        scores.append(np.append(np.repeat(JOB, EACH), rng.random(FRESH))[order])
        explored.append(np.concatenate(drawn)[order])
    calls, _, _ = traffic(rng, hours * (len(JOB) * EACH + FRESH), explore=0.0)
    score, other = np.concatenate(scores), np.concatenate(explored)
    chosen = score >= 0.7
    went = chosen ^ other
    right = np.where(went, 0.95 - 0.15 * score, 0.9 - 0.6 * score**2)
    return replace(
        calls,
        at=np.repeat(np.arange(hours) * 3600.0, len(score) // hours),
        scores=score,
        chosen_strong=chosen,
        went_strong=went,
        propensity=np.where(other, explore, 1 - explore),
        quality=(rng.random(len(score)) < right).astype(float),
    )


@pytest.mark.parametrize("explore", [0.01, 0.05, 0.5])
def test_intervals_hold_where_a_job_repeats_a_few_prompts(explore):
    """Calls that share a draw, taken for independent ones, missed in 33 to 44 of 100 runs by IPS
    and in up to 10 by DR.
    """
    rng = np.random.default_rng(5)
    grid = np.append(np.repeat(JOB, EACH), np.repeat((np.arange(1_000) + 0.5) / 1_000, FRESH))
    weights = np.append(np.ones(len(JOB) * EACH), np.full(1_000 * FRESH, 1 / 1_000))
    rights = {"strong": 0.95 - 0.15 * grid, "weak": 0.9 - 0.6 * grid**2}
    lost = np.where(grid < 0.7, rights["strong"] - rights["weak"], 0.0)
    loss = float(np.average(lost, weights=weights))
    truths = {name: float(np.average(each, weights=weights)) for name, each in rights.items()}
    truths |= {"loss_ips": loss, "loss_dr": loss}
    missed, last, repetitions = dict.fromkeys(truths, 0), [], 100
    for _ in range(repetitions):
        calls = job_traffic(rng, 50, explore)
        # Also within an hour, when some calls of a draw are still to come.
        looks = [estimate(first(calls, n)) for n in (200, 530, 1_050, 2_000, 3_030, 4_000)]
        for name, truth in truths.items():
            bounds = [getattr(look, name) for look in looks]
            missed[name] += any(not each.low <= truth <= each.high for each in bounds)
        last.append(looks[-1].loss_dr.value)
    assert max(missed.values()) / repetitions <= 0.05, missed
    assert abs(np.mean(last) - loss) < 4 * np.std(last) / np.sqrt(repetitions)


def test_an_interval_narrows_and_says_something():
    calls, _, _ = traffic(np.random.default_rng(1), 40_000, judged=0.5)
    found = estimate(calls, PRICES)
    assert found.calls == 40_000
    assert 19_000 < found.judged < 21_000
    assert found.loss_ips.high - found.loss_ips.low < 0.12
    assert found.loss_dr.high - found.loss_dr.low < 0.08
    assert found.saving is not None
    assert found.saving.high - found.saving.low < 0.03
    assert found.strong.value - found.routed.value == pytest.approx(found.loss_dr.value)


def test_nothing_judged_says_nothing():
    calls, _, _ = traffic(np.random.default_rng(0), 100, judged=0.0)
    found = estimate(calls)
    assert np.isnan(found.loss_ips.value)
    assert np.isnan(found.loss_dr.low)
    assert found.saving is None


def test_a_bound_by_betting_misses_no_more_often_than_allowed():
    """Rare large values, on which an interval from the spread fails."""
    rng = np.random.default_rng(2)
    missed, alone = 0, np.arange(1_000)
    for _ in range(300):
        values = np.where(rng.random(1_000) < 0.01, 50.0, 0.0)
        missed += any(
            lower_bound(values[:n], alone[:n], 0.0, 0.05) > 0.5 for n in range(100, 1_001, 100)
        )
    assert missed / 300 <= 0.06
    assert lower_bound(np.full(1_000, 0.8), alone, 0.0, 0.05) > 0.78
    assert lower_bound(np.zeros(10), alone[:10], -1.0, 0.05) < 0.0
    # One draw of all is one observation, on which nothing can be bet that it could not take.
    assert lower_bound(np.full(40_000, 0.8), np.zeros(40_000, int), 0.0, 0.05) == 0.0


def test_an_asymptotic_sequence_is_valid_at_every_look():
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(200):
        values = rng.normal(0.0, 3.0, 3_000)
        bounds = [asymptotic(values[:n], 0.05) for n in range(100, 3_001, 100)]
        missed += any(not low <= 0 <= high for low, high in bounds)
    assert missed / 200 <= 0.06
