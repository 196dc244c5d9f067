"""`routellm report` and `routellm store`: figures that follow from what was put into the store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core.data.digests import sha256_of
from routellm_core.data.labelled import read_labelled
from routellm_core.data.labels import read_gold
from routellm_core.data.logs.calls import Skipped
from routellm_core.traffic.report.estimates import mean_loss, saving, share
from routellm_core.traffic.report.requests import requests_of
from routellm_core.traffic.store.kept import About, Feedback
from routellm_core.traffic.store.store import Store
from tests.cli.command import called
from tests.traffic.exchanges import DAY_S, answer, decision, request

PRICES = {
    "strong": {"input": 10.0, "cached": 1.0, "output": 50.0},
    "weak": {"input": 1.0, "cached": 0.1, "output": 5.0},
}
MODELS = {"strong": "gpt-4o", "weak": "gpt-4o-mini"}
NOW = 1_764_000_000.0


def fill(path: str, requests: int = 40, **about: Any) -> Store:
    """Four requests of ten go to the strong model; every second one was sampled."""
    store = Store(path)
    store.describe("chat", About(MODELS, PRICES, **about))
    kept: list[Any] = []
    for k in range(requests):
        strong = k % 10 < 4
        served, other = ("strong", "weak") if strong else ("weak", "strong")
        made = decision(0.9 if strong else 0.1, served)
        sampled = k % 2 == 0
        kept.append(
            request(
                f"r{k}",
                at=NOW + k * DAY_S / 10,
                decision=made,
                sampled=sampled,
                propensity=0.5,
                prompt=f"Question {k}" if sampled else None,
            )
        )
        # 1,000 tokens read, 400 of them cached, 100 written.
        tokens = {"input_tokens": 1000, "cached_tokens": 400, "output_tokens": 100}
        kept.append((f"r{k}", answer(served, cost_usd=None, **tokens)))
        if sampled:
            kept.append((f"r{k}", answer(other, cost_usd=0.0, shadow=True, **tokens)))
    store.add(kept)
    return store


def reported(path: str, *options: str) -> dict[str, Any]:
    done = called("report", path, "--json", *options)
    assert done.returncode == 0, done.stderr
    (route,) = json.loads(done.stdout)["routes"]
    return dict(route)


def test_sampled_requests_without_an_outcome_are_told(path: str):
    store = fill(path)
    plain = request(
        "cut", at=NOW, decision=decision(0.1, "weak"), sampled=True, propensity=0.5, prompt="Cut"
    )
    store.add([plain, ("cut", answer("weak"))])
    done = called("report", path)
    assert "21: answered 20, in flight (now, or when their process ended) 1" in " ".join(
        done.stdout.replace("\u2502", " ").split()
    )


def test_what_is_written_while_a_report_is_read_is_in_none_of_its_figures(path, monkeypatch):
    """A proxy goes on writing, and is not kept from it."""
    store, served = fill(path), Store.served
    written = []

    def slowly(self: Store, since: float = 0.0) -> Iterator[dict[str, Any]]:
        yield from served(self, since)
        for route in ("chat", "new"):
            made = request(
                f"later-{route}", at=NOW, route=route, sampled=True, propensity=0.5, prompt="Later"
            )
            answers = [(made.request_id, answer(tier, shadow=tier == "weak")) for tier in MODELS]
            store.add([made, *answers])
            store.add_feedback([Feedback(made.request_id, 1.0)])
            written.append(made)

    monkeypatch.setattr(Store, "served", slowly)
    (route,) = requests_of(store)
    assert len(written) == 2
    assert (len(route), route.sampled, route.shadow["answered"]) == (40, 20, 20)
    assert route.judged == []
    monkeypatch.undo()
    now = requests_of(store)
    assert [(len(each), each.sampled, each.shadow["answered"]) for each in now] == [
        (41, 21, 21),
        (1, 1, 1),
    ]


def test_share_cost_and_saving(path: str):
    fill(path)
    route = reported(path)
    assert (route["requests"], route["acted"], route["sampled"]) == (40, 40, 20)
    assert route["share"]["value"] == pytest.approx(0.4)
    # Of one request: 600 read, 400 from the cache, 100 written.
    strong = (600 * 10 + 400 * 1 + 100 * 50) / 1e6
    weak = strong / 10
    costs = route["costs"]
    assert costs["always_strong"] == pytest.approx(40 * strong)
    assert costs["served"] == pytest.approx(16 * strong + 24 * weak)
    assert costs["saving"]["value"] == pytest.approx(0.54)
    assert costs["saving"]["low"] < 0.54 < costs["saving"]["high"]
    assert costs["cached"] == pytest.approx(0.4)
    assert costs["length_ratio"] is None  # 20 pairs are too few


def test_the_strong_models_longer_answers_count(path: str):
    store = fill(path, 80)
    longer = [
        (f"r{k}", answer("strong", output_tokens=200, shadow=k % 10 >= 4))
        for k in range(80)
        if k % 2 == 0
    ]
    store.add(longer)
    assert reported(path)["costs"]["length_ratio"] == pytest.approx(2.0)


def test_what_is_observed_is_what_would_have_been_saved(path: str):
    store = fill(path)
    tokens = {"input_tokens": 1000, "cached_tokens": 400, "output_tokens": 100}
    for k in range(40):
        made = decision(0.9, "strong") if k % 10 < 4 else decision(0.1, "weak")
        plain = request(f"r{k}", at=NOW, decision=made, acted=False, sampled=False, propensity=0.5)
        store.add([plain, (f"r{k}", answer("strong", cost_usd=None, **tokens))])
        store._database.write([("DELETE FROM answers WHERE tier = 'weak'", [{}])])
    route = reported(path)
    assert route["acted"] == 0
    assert route["costs"]["served"] == pytest.approx(route["costs"]["always_strong"])
    assert route["costs"]["saving"]["value"] == pytest.approx(0.54)


def test_without_feedback_nothing_is_said_of_quality(path: str):
    fill(path)
    assert reported(path)["quality"]["scores"] == {}
    assert "no answer was judged" in called("report", path).stdout


def test_feedback_is_joined_and_the_loss_is_that_of_the_pairs(path: str, tmp_path: Path):
    fill(path)
    lines = [{"request_id": f"r{k}", "score": k % 3 == 0} for k in range(40)]
    # Of the sampled requests a judge preferred the strong answer by a half.
    for k in range(0, 40, 2):
        lines.append({"request_id": f"r{k}", "tier": "strong", "score": 1.0, "name": "judge"})
        lines.append({"request_id": f"answer-r{k}", "tier": "weak", "score": 0.5, "name": "judge"})
    lines.append({"request_id": "nobody's", "score": 1})
    file = tmp_path / "feedback.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = called("report", path, "--feedback", str(file), "--json")
    assert "80 scores added; 1 name no answer in the store" in done.stderr
    (route,) = json.loads(done.stdout)["routes"]
    quality = route["quality"]
    assert quality["n"] == {"strong": 16, "weak": 24}
    assert quality["pairs"] == 20
    assert 0.1 < quality["loss"]["value"] < 0.6
    assert reported(path) == route  # they stay


def test_drift_is_told(path: str):
    fill(path, 1200, target_share=0.1, quantiles=[k / 100 for k in range(101)], n=500)
    route = reported(path)
    assert route["drift"]["scored"] == 1200
    assert route["drift"]["distance"] > 0.3
    assert "where 10% were meant" in route["warning"]
    assert "calibrate again" in " ".join(called("report", path).stdout.split())


@pytest.mark.parametrize(
    ("requests", "said"), [(40, "not judged below 1,000 scores"), (1000, "none to warn of")]
)
def test_few_scores_are_not_said_to_be_free_of_drift(path: str, requests: int, said: str):
    fill(path, requests, target_share=0.4, quantiles=[k / 100 for k in range(101)], n=500)
    printed = " ".join(called("report", path).stdout.split())
    assert f"drift │ {said}: distance 0." in printed


def test_the_report_is_written_as_markdown(path: str, tmp_path: Path):
    fill(path)
    out = tmp_path / "report.md"
    assert called("report", path, "--markdown", str(out)).returncode == 0
    text = out.read_text()
    assert text.startswith("# Report of routed traffic\n\n## chat\n")
    assert "| share for the strong model | 40% [" in text


def test_a_store_that_is_not_there_is_one_line(tmp_path: Path):
    done = called("report", str(tmp_path / "none.db"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no store")
    Store(str(tmp_path / "empty.db"))
    assert "holds no requests yet" in called("report", str(tmp_path / "empty.db")).stderr


def test_what_is_exported_is_read_by_train_and_calibrate(path: str, tmp_path: Path):
    store = fill(path)
    out = tmp_path / "pairs.jsonl"
    assert called("store", "export", path, "--out", str(out)).returncode == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 20
    assert rows[0]["answers"] == {"strong": "Because.", "weak": "Because."}
    assert rows[0]["messages"] == [{"role": "user", "content": "Why is the sky blue?"}]
    assert called("store", "export", path, "--judged", "--out", str(out)).returncode == 2
    store.add_feedback([Feedback("r0", 1.0, "strong"), Feedback("r0", 0.25, "weak")])
    store.add_feedback([Feedback("r2", 1.0)])
    done = called("store", "export", path, "--judged", "--out", str(out))
    assert done.returncode == 0
    assert "for 1 only one of the two answers was judged" in done.stderr
    first, second = read_gold(out)
    assert (first.prompt, first.task) == ("Question 0", "chat")
    assert first.correct == {"strong-model": 1.0, "weak-model": 0.25}
    assert second.correct == {"strong-model": 1.0}
    (labelled,) = read_labelled(out, ("strong-model", "weak-model"), Skipped())
    assert (labelled.strong, labelled.weak) == (1.0, 0.25)


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "{}"),
        ("calibrate", "--strong-share", "0.3", "--prompts", "{}"),
        (
            *("label", "--judge", "exact", "--out", "labels.jsonl", "--prompts", "{}"),
            *("--strong-model", "big", "--weak-model", "small"),
        ),
    ],
    ids=lambda command: command[0],
)
def test_commands_that_read_no_store_say_how_to_get_its_rows(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
):
    monkeypatch.chdir(tmp_path)
    fill(path)
    done = called(*(each.format(path) for each in command))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`routellm store export {path} --out FILE` writes its rows" in done.stderr


def test_of_routes_that_share_a_store_each_is_exported_alone(path: str, tmp_path: Path):
    store, out = fill(path), tmp_path / "pairs.jsonl"
    store.add([request("s1", route="support", sampled=True), ("s1", answer())])
    for route, n in {"support": 1, "chat": 20}.items():
        assert called("store", "export", path, "--route", route, "--out", str(out)).returncode == 0
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["task"] for row in rows] == [route] * n
    done = called("store", "export", path, "--route", "chart", "--out", str(out))
    assert done.returncode == 2
    assert done.stderr == "error: there is no route 'chart': did you mean 'chat'?\n"


def test_names_and_small_amounts_in_a_report(path: str, tmp_path: Path):
    store = Store(path)
    prices = {tier: dict.fromkeys(("input", "cached", "output"), 0.001) for tier in MODELS}
    store.describe("eu|chat", About({"strong": "azure|gpt-4o", "weak": "mini"}, prices))
    store.add([request("r1", route="eu|chat"), ("r1", answer(input_tokens=10, output_tokens=2))])
    out = tmp_path / "report.md"
    done = called("report", path, "--markdown", str(out))
    assert "azure|gpt-4o" in done.stdout
    rows = [line for line in out.read_text().splitlines() if line.startswith("| ")]
    assert "| models | strong azure\\|gpt-4o, weak mini |" in rows
    assert "| cost of always strong | less than $0.0001 |" in rows


def test_requests_are_forgotten_on_demand(path: str):
    store = fill(path)
    store.add([request("new", at=time.time()), ("new", answer())])
    assert called("store", "forget", path, "--older-than-days", "1").returncode == 0
    assert [row["request_id"] for row in store.requests()] == ["new"]


def covers(estimate: Any, truth: float) -> bool:
    return estimate is not None and estimate.low <= truth <= estimate.high


def test_a_route_whose_first_request_comes_while_the_report_reads(
    path: str, monkeypatch: pytest.MonkeyPatch
):
    store = fill(path)
    served = store.served

    def then_another(since: float = 0.0) -> Iterator[dict[str, Any]]:
        yield from served(since)
        made = decision(0.1, "weak")
        explored = replace(made, propensity=0.9, cause="score")
        new = request("new", at=NOW, route="new", decision=explored, prompt_sha256="0" * 64)
        again = replace(new, request_id="again")
        store.add([new, ("new", answer("weak")), ("new", answer("strong", shadow=True))])
        store.add([again, ("again", answer("weak")), ("again", answer("strong", shadow=True))])
        store.add_feedback([Feedback("new", 1.0, "strong"), Feedback("new", 1.0, "weak")])

    monkeypatch.setattr(store, "served", then_another)
    assert [each.route for each in requests_of(store)] == ["chat"]
    assert [each.route for each in requests_of(Store(path))] == ["chat", "new"]


def test_a_prompt_that_a_job_repeats_counts_as_often_as_it_came(path: str):
    store = Store(path)
    store.describe("chat", About(MODELS, PRICES))
    kept: list[Any] = []
    for k in range(50):
        prompt = "Summarise the nightly build log." if k < 30 else f"Question {k}"
        made = {"decision": decision(0.1, "weak"), "propensity": 0.5, "at": NOW + k}
        kept.append(request(f"r{k}", prompt=prompt, prompt_sha256=sha256_of(prompt), **made))
        kept += [(f"r{k}", answer("weak")), (f"r{k}", answer("strong", shadow=True))]
    store.add(kept)
    labels = [Feedback(f"r{k}", 1.0, "strong", "judge") for k in (0, *range(30, 50))]
    labels += [Feedback(f"r{k}", 0.7, "weak", "judge") for k in range(30, 50)]
    store.add_feedback([*labels, Feedback("r0", 1.0, "weak", "judge")])  # one for all thirty
    quality = reported(path)["quality"]
    assert quality["pairs"] == 21
    assert quality["loss"]["value"] == pytest.approx(20 * 0.3 / 50)
    more = [Feedback("r1", 1.0, "strong", "judge"), Feedback("r1", 0.5, "weak", "judge")]
    store.add_feedback(more)
    assert reported(path)["quality"]["loss"]["value"] == pytest.approx((20 * 0.3 + 30 * 0.25) / 50)


@pytest.mark.parametrize("kind", ["share", "saving", "loss"])
def test_intervals_hold_the_truth(kind: str):
    """Of 1,000 repetitions, 93 to 97.5 %: the bounds are 2.2 standard deviations wide."""
    rng = np.random.default_rng(0)

    def repetition() -> bool:
        n = 300
        if kind == "share":
            return covers(share((rng.random(n) < 0.3).astype(float)), 0.3)
        if kind == "saving":
            length = rng.lognormal(0, 1, n)
            strong = rng.random(n) < 0.3
            cost = np.where(strong, length, length * 0.1)
            return covers(saving(cost, length), 0.63)
        # Easy requests, which lose nothing, are sampled ten times as often.
        hard = rng.random(n * 20) < 0.2
        propensity = np.where(hard, 0.02, 0.2)
        drawn = rng.random(n * 20) < propensity
        lost = np.where(hard, rng.random(n * 20) < 0.5, 0.0)[drawn]
        return covers(mean_loss(lost, 1 / propensity[drawn]), 0.1)

    held = np.mean([repetition() for _ in range(1000)])
    assert 0.93 <= held <= 0.975


def test_labels_of_a_judge_are_feedback_on_both_answers(path: str, tmp_path: Path):
    fill(path)
    file = tmp_path / "labels.jsonl"
    file.write_text(
        "".join(
            json.dumps({"request_id": f"r{k}", "strong": 1.0, "weak": 0.5, "judge": "pairwise"})
            + "\n"
            for k in range(0, 40, 2)
        )
    )
    route = reported(path, "--feedback", str(file))
    assert route["quality"]["pairs"] == 20
    # Six of ten went to the weak model, whose answers are worse by a half.
    assert route["quality"]["loss"]["value"] == pytest.approx(0.3)
