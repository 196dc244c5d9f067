"""Intervals of `routellm report` where few values differ, or calls come in conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core.data.logs.calls import Skipped
from routellm_core.rules.prices import Price
from routellm_core.traffic.report.estimates import mean_loss, saving
from routellm_core.traffic.report.figures import figures_of
from routellm_core.traffic.report.logs import requests_in_logs
from routellm_core.traffic.store.kept import About, Feedback
from routellm_core.traffic.store.store import Store
from tests.cli.command import called
from tests.traffic.exchanges import answer, decision, request
from tests.traffic.test_report import MODELS, NOW, fill, reported
from tests.traffic.test_report import PRICES as DOLLARS
from tests.traffic.test_report_logs import PRICES, spend_log, written
from tests.traffic.test_report_logs import reported as reported_of

TIERS = ("strong", "weak")
BOTH = Price(10, 50, 1), Price(1, 5, 0.1)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "traffic.db")


def test_pairs_none_of_which_lost_do_not_show_that_none_is_lost(path: str):
    store = fill(path, 24)
    labels = [Feedback(f"r{k}", 1.0, tier, "judge") for k in range(24) for tier in TIERS]
    store.add_feedback(labels)
    quality = reported(path)["quality"]
    assert (quality["pairs"], quality["loss"]["value"]) == (12, 0.0)
    assert quality["loss"]["low"] < -0.05
    assert quality["loss"]["high"] > 0.05


@pytest.mark.parametrize("tier", TIERS)
def test_requests_that_all_went_one_way_do_not_fix_the_saving(tmp_path: Path, tier: str):
    rows = [spend_log(k) for k in range(60)]
    alike = [row for row in rows if row["model_group"].endswith("mini") == (tier == "weak")][:12]
    found = reported_of(written(tmp_path / "spend.jsonl", alike), *PRICES)["costs"]["saving"]
    assert found["value"] == pytest.approx(0.9 if tier == "weak" else 0.0)
    assert found["high"] - found["low"] > 0.1


@pytest.mark.parametrize("n", [12, 30, 60, 120, 285])
@pytest.mark.parametrize(("lose", "gain"), [(0.02, 0.0), (0.05, 0.01), (0.1, 0.05), (0.3, 0.1)])
def test_the_loss_is_held_where_few_pairs_lose(n: int, lose: float, gain: float):
    """Of 2,000 repetitions 90 % or more; by the sample alone, 14 to 95."""
    rng = np.random.default_rng(0)
    truth = 0.6 * (lose - gain)
    held = []
    for _ in range(2000):
        drawn = rng.choice([1.0, -1.0, 0.0], n, p=[0.6 * lose, 0.6 * gain, 1 - 0.6 * (lose + gain)])
        weights = rng.choice([1.0, 3.0], n)
        found = mean_loss(drawn, weights)
        assert found is not None
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("strong", [0.02, 0.1, 0.95])
def test_the_saving_is_held_where_few_requests_differ(n: int, strong: float):
    """Of 600 repetitions 93 % or more."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(600):
        length = rng.lognormal(0, 0.5, n)
        cost = np.where(rng.random(n) < strong, length, 0.1 * length)
        found = saving(cost, length)
        assert found is not None
        held.append(found.low <= 0.9 * (1 - strong) <= found.high)
    assert np.mean(held) >= 0.93


def conversations(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    """Calls of n conversations of 10 each on average, each with one model; 40 % strong."""
    rows = []
    for at in range(n):
        k = int(rng.random() >= 0.4) * 9  # `spend_log` sends 0 to the strong model, 9 to the weak
        for turn in range(rng.geometric(0.1)):
            found = spend_log(k, session_id=f"c{at}", request_id=f"chatcmpl-{at}-{turn}")
            rows.append({**found, "metadata": json.loads(found["metadata"])})
    return rows


def test_calls_of_a_conversation_are_not_independent(tmp_path: Path):
    """Share and saving are held in 90 of 100 repetitions or more; by single calls, in half."""
    held = []
    for seed in range(100):
        rows = conversations(np.random.default_rng(seed), 60)
        log = tmp_path / f"{seed}.jsonl"
        written(log, rows)
        (route,) = requests_in_logs([log], prices=BOTH, skipped=Skipped())
        figures = figures_of(route, "logs")
        assert figures.share is not None
        assert figures.costs is not None
        assert figures.costs.saving is not None
        held.append(figures.share.low <= 0.4 <= figures.share.high)
        held.append(figures.costs.saving.low <= 0.54 <= figures.costs.saving.high)
    assert np.mean(held) >= 0.9


def test_where_a_store_names_no_conversation_calls_of_the_same_score_are_one(path: str):
    """Steps of an agent have the score of the turn that they refer to."""
    store = Store(path)
    for name, apart in (("steps", 0.0), ("apart", 0.001)):
        store.describe(name, About(MODELS, DOLLARS))
        kept: list[Any] = []
        for k in range(300):
            served = "strong" if k // 30 % 10 < 4 else "weak"
            score = 0.9 if served == "strong" else 0.1
            made = decision(score + k // 30 * 0.001 + k * apart / 300, served)
            kept.append(request(f"{name}{k}", at=NOW + k, route=name, decision=made))
            kept.append((f"{name}{k}", answer(served, input_tokens=1000, output_tokens=100)))
        store.add(kept)
    apart_, steps = (
        each["share"]["high"] - each["share"]["low"]
        for each in json.loads(called("report", path, "--json").stdout)["routes"]
    )
    assert apart_ < 0.12 < 0.4 < steps
