"""Routers beside baselines, on synthetic benchmarks whose figures are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from routellm_core import Router
from routellm_core.errors import ConfigError
from routellm_core.evaluation.benchmarks.benchmark import Benchmark
from routellm_core.evaluation.compare import compare
from routellm_core.evaluation.intervals import Estimate
from routellm_core.evaluation.metrics import Floats
from routellm_core.evaluation.reporting.notes import notes
from routellm_core.evaluation.results import Prices

EXACT = 1e-12


class Given(Router):
    """Scores the prompts "0", "1", ... as it was told to."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._scores = np.array(scores)

    def score(self, prompts: Sequence[str]) -> Floats:
        return self._scores[[int(prompt) for prompt in prompts]]


class Emptying(Router):
    """Takes away the prompts it is given."""

    def score(self, prompts: Sequence[str]) -> Floats:
        if isinstance(prompts, list):
            prompts.clear()
        return np.zeros(len(prompts))


def _benchmark(strong: Sequence[float], weak: Sequence[float], **more: object) -> Benchmark:
    n = len(strong)
    return Benchmark(
        "made up",
        [str(i) for i in range(n)],
        np.array(strong, float),
        np.array(weak, float),
        [""] * n,
        **{"units": np.arange(n), **more},  # type: ignore[arg-type]
    )


FOUR = _benchmark([1, 1, 1, 0], [1, 0, 0, 1])
"""Gains 0, 1, 1, -1: quality 0.5 weak, 0.75 strong."""

KNOWING = Given([0.5, 0.9, 0.9, 0.1])


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_figures_have_closed_forms() -> None:
    result = compare(FOUR, {"knowing": KNOWING, "inverse": Given([0.5, 0.1, 0.1, 0.9])}, draws=20)
    expected = {
        "knowing": (5.5 / 4, 1 / 8, 0.2, 1.0),
        "inverse": (1 - 5.5 / 4, 7 / 8, 0.95, -1.0),
        "constant mix": (0.5, 0.5, 0.8, 0.0),
        "oracle": (5.5 / 4, 1 / 8, 0.2, 1.0),
    }
    for name, (apgr, cpt_50, cpt_80, of_oracle) in expected.items():
        router = result.named(name)
        assert _value(router.apgr) == pytest.approx(apgr, abs=EXACT)
        assert _value(router.cpt_50) == pytest.approx(cpt_50, abs=EXACT)
        assert _value(router.cpt_80) == pytest.approx(cpt_80, abs=EXACT)
        assert _value(router.share_of_oracle_gain) == pytest.approx(of_oracle, abs=EXACT)
    knowing = result.named("knowing")
    assert list(knowing.over) == ["prompt length", "constant mix", "inverse"]
    assert knowing.over["inverse"].value == pytest.approx(1.75, abs=EXACT)
    assert knowing.curve is not None
    assert knowing.curve.quality[[0, 25, 50, 100]] == pytest.approx([0.5, 0.75, 1, 0.75], abs=EXACT)


def test_quality_cost_and_savings_at_a_share() -> None:
    result = compare(FOUR, {"r": KNOWING}, shares=(0.125, 0.5), prices=Prices(10, 2), draws=20)
    at, beyond = result.named("r").at
    # Half of the gap for an eighth of the calls; a mix needs half of the calls for it.
    assert at.quality.value == pytest.approx(0.625, abs=EXACT)
    assert at.cost.value == pytest.approx(3.0, abs=EXACT)
    assert at.saving_over_strong.value == pytest.approx(1 - 3 / 10, abs=EXACT)
    assert _value(at.saving_over_random) == pytest.approx(1 - 3 / 6, abs=EXACT)
    # Better than always strong: nothing but that to compare with.
    assert beyond.quality.value == pytest.approx(1.0, abs=EXACT)
    assert _value(beyond.saving_over_random) == pytest.approx(1 - 6 / 10, abs=EXACT)
    always = {name: result.named(name).at[0] for name in ("always strong", "always weak")}
    assert always["always strong"].quality.value == pytest.approx(0.75, abs=EXACT)
    assert always["always strong"].cost.value == pytest.approx(10.0, abs=EXACT)
    assert always["always weak"].quality.value == pytest.approx(0.5, abs=EXACT)
    assert always["always weak"].saving_over_strong.value == pytest.approx(0.8, abs=EXACT)
    assert result.prices == Prices(10, 2)


def test_costs_of_the_queries_come_before_prices() -> None:
    costs = (np.array([8.0, 1.0, 1.0, 30.0]), np.array([4.0, 0.0, 0.0, 4.0]))
    result = compare(_benchmark(FOUR.strong, FOUR.weak, costs=costs), {"r": KNOWING}, draws=20)
    (at,) = result.named("r").at
    assert result.prices is None
    assert at.cost.value == pytest.approx((1 + 1 + 4 + 4) / 4, abs=EXACT)
    assert at.saving_over_strong.value == pytest.approx(1 - 10 / 40, abs=EXACT)


def test_a_router_that_fails_is_told_and_the_others_go_on() -> None:
    routers = {
        "absent": ValueError("no weights"),
        "nan": Given([0.5, np.nan, 0.5, 0.5]),
        "beyond": Given([0.5, 1.5, 0.5, 0.5]),
        "short": Given([0.5]),
        "emptying": Emptying(),
        "knowing": KNOWING,
    }
    result = compare(FOUR, routers, draws=20)
    assert [router.name for router in result.results][:6] == list(routers)
    assert result.named("absent").error == "ValueError: no weights"
    assert "a score is nan" in str(result.named("nan").error)
    assert "a score is 1.5" in str(result.named("beyond").error)
    assert "4 prompts got scores of shape (0,)" in str(result.named("emptying").error)
    assert "IndexError" in str(result.named("short").error)
    assert result.named("knowing").error is None
    assert set(result.named("knowing").over) == {"prompt length", "constant mix"}


def test_random_is_a_baseline_unless_it_is_asked_for() -> None:
    names = [router.name for router in compare(FOUR, {}, draws=20).results]
    mixes = ["always weak", "always strong", "constant mix"]
    assert names == ["random", "prompt length", *mixes, "oracle"]
    asked = compare(FOUR, {"random": KNOWING}, draws=20)
    assert [(r.name, r.kind) for r in asked.results][:2] == [
        ("random", "router"),
        ("prompt length", "baseline"),
    ]
    with pytest.raises(ConfigError, match="'oracle' is the name of a baseline"):
        compare(FOUR, {"oracle": KNOWING}, draws=20)


def _sample(n: int, units: int) -> tuple[Benchmark, Given]:
    """Units of equal size whose queries are copies of one another."""
    rng = np.random.default_rng(0)
    score = rng.random(units)
    strong = (rng.random(units) < 0.5 + 0.4 * score).astype(float)
    weak = (rng.random(units) < 0.4).astype(float)
    copies = n // units
    unit = np.repeat(np.arange(units), copies)
    return _benchmark(strong[unit], weak[unit], units=unit), Given(np.repeat(score, copies))


def test_copies_in_a_unit_do_not_narrow_the_interval() -> None:
    singles, router = _sample(200, 200)
    copied, copying = _sample(2000, 200)
    one, many = (
        compare(benchmark, {"r": scorer}, draws=1000).named("r").apgr
        for benchmark, scorer in ((singles, router), (copied, copying))
    )
    assert one is not None
    assert many is not None
    assert many.value == pytest.approx(one.value, abs=0.01)
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.05)


def test_differences_are_paired() -> None:
    """The same order twice differs by nothing in every resample."""
    benchmark, router = _sample(200, 200)
    result = compare(benchmark, {"one": router, "same": router}, draws=100)
    difference = result.named("one").over["same"]
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    apgr, over = result.named("one").apgr, result.named("one").over["constant mix"]
    assert apgr is not None
    assert over.low == pytest.approx(apgr.low - 0.5, abs=EXACT)


def test_notes_tell_significance_comparisons_and_few_queries() -> None:
    benchmark, router = _sample(400, 400)
    noise = Given(np.random.default_rng(1).random(400).tolist())
    result = compare(benchmark, {"good": router, "noise": noise}, draws=200)
    differences, few = notes(result)
    significant, rest = differences.split("Not significant: ")
    assert "good above constant mix" in significant
    assert "good above noise" in significant
    assert "noise " in rest.split("Comparisons")[0]
    assert "Comparisons: 5, of which 0.25" in rest
    assert few.startswith("Only 400 queries")
    many, router = _sample(600, 600)
    assert len(notes(compare(many, {"good": router}, draws=100))) == 1


def test_notes_tell_resamples_without_a_gap() -> None:
    result = compare(FOUR, {"r": KNOWING}, draws=100)
    assert result.gapless > 0
    assert f"In {result.gapless} of 100 resamples" in notes(result)[-1]


def test_undefined_figures_are_nan_and_do_not_fail() -> None:
    """Every query gains the same, so nothing can be gained by choosing."""
    result = compare(_benchmark([1, 1, 1], [0, 0, 0]), {"r": Given([0.1, 0.5, 0.9])}, draws=20)
    assert np.isnan(_value(result.named("r").share_of_oracle_gain))
    assert _value(result.named("r").apgr) == pytest.approx(0.5, abs=EXACT)
    free = compare(FOUR, {"r": Given([0.9, 0.1, 0.1, 0.5])}, prices=Prices(1, 0), draws=20)
    assert np.isnan(_value(free.named("r").at[0].saving_over_random))
