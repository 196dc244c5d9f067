"""`routellm explored` as a user runs it, on what a policy with exploration has logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core import RoutingPolicy
from routellm_core.policy import exploration
from routellm_core.traffic.store.kept import Answer, Feedback, Request
from routellm_core.traffic.store.store import Store

from .command import called

PRICES = ["--strong-price", "10,30", "--weak-price", "1,3"]


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Spend logs of 3,000 calls, of which the weak model answers a third worse, and thumbs."""
    monkeypatch.setattr(exploration, "_KEY", b"always the same")
    monkeypatch.setattr(exploration.time, "time", lambda: 1_793_613_600.0)
    rng = np.random.default_rng(0)
    policy = RoutingPolicy("random", threshold=0.6, explore=0.05)
    decisions = policy.decide_many([f"prompt {at}" for at in range(3_000)])
    rows = [
        {
            "request_id": f"chatcmpl-{at}",
            "startTime": f"2026-11-02T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z",
            "prompt_tokens": 1_000,
            "completion_tokens": 100,
            "metadata": json.dumps({"spend_logs_metadata": {"routellm": each.as_metadata()}}),
        }
        for at, each in enumerate(decisions)
    ]
    thumbs = [
        {
            "request_id": f"chatcmpl-{at}",
            "score": int(rng.random() < (0.9 if each.tier == "strong" else 0.6)),
        }
        for at, each in enumerate(decisions)
        if at % 2
    ]
    return lines(tmp_path / "log.jsonl", rows[::-1]), lines(tmp_path / "thumbs.jsonl", thumbs)


def figures(printed: str) -> dict[str, list[float]]:
    """Return the estimate and the ends of its interval by the name of the row."""
    found = {}
    for line in printed.splitlines():
        words = line.split()
        if "to" in words and "(" in line:
            name = line[: line.index(")") + 1].strip()
            found[name] = [
                float(each) for each in line[line.index(")") + 1 :].replace("to", " ").split()
            ]
    return found


def test_quality_and_saving(logged):
    log, thumbs = logged
    done = called("explored", str(log), "--judgements", str(thumbs), *PRICES)
    assert done.returncode == 0, done.stderr
    assert "3,000 calls" in done.stdout
    assert "judged: 1,500" in done.stdout
    found = figures(done.stdout)
    for name in (
        "quality lost to always strong (IPS, exact)",
        "quality lost to always strong (DR)",
    ):
        value, low, high = found[name]
        assert low <= 0.18 <= high  # 60 % go weak, where .3 is lost
        assert low <= value <= high
    value, low, high = found["saved over always strong, % (DR)"]
    assert low <= 54 <= high
    value, low, high = found["quality of always weak (DR)"]
    assert low <= 0.6 <= high


def test_a_store_tells_the_same_as_logs(logged, tmp_path):
    log, thumbs = logged
    policy = RoutingPolicy("random", threshold=0.6, explore=0.05)
    decisions = policy.decide_many([f"prompt {at}" for at in range(3_000)])
    store = Store(str(tmp_path / "traffic.db"))
    kept = []
    for at, each in enumerate(decisions):
        name = f"chatcmpl-{at}"
        kept.append(Request(name, float(at), "chat", each))
        kept.append((name, Answer(each.tier, input_tokens=1_000, output_tokens=100)))
    store.add(kept)
    rows = map(json.loads, thumbs.read_text().splitlines())
    store.add_feedback(Feedback(each["request_id"], each["score"]) for each in rows)
    of_logs = called("explored", str(log), "--judgements", str(thumbs), *PRICES)
    of_store = called("explored", store.name, *PRICES)
    assert of_store.returncode == 0, of_store.stderr
    assert figures(of_store.stdout) == figures(of_logs.stdout)
    assert of_store.stdout == of_logs.stdout
    assert called("explored", store.name, *PRICES, "--route", "chat").stdout == of_store.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["traffic.db"], "name one of 'chat', 'other'"),
        (["traffic.db", "--route", "none"], "of 'chat', 'other' alone"),
        (["traffic.db", "--judgements", "thumbs.jsonl"], "give one store alone"),
        (["traffic.db", "traffic.db"], "give one store alone"),
        (["empty.db"], "no call that was decided with exploration"),
        (["thumbs.jsonl", "--route", "chat"], "--route is for a store"),
        (["none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_mistakes_about_a_store_are_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    lines(tmp_path / "thumbs.jsonl", [{"request_id": "a", "score": 1}])
    Store("empty.db")
    store = Store("traffic.db")
    decision = RoutingPolicy("random", threshold=0.5, explore=0.1).decide("hello")
    for route in ("chat", "other"):
        answer = Answer(decision.tier)
        store.add([Request(route, 0.0, route, decision), (route, answer)])
    done = called("explored", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_calls_of_the_same_words_within_an_hour_are_one_observation(logged, tmp_path):
    """A log in which each call is there 16 times tells no more than one where it is once."""
    log, thumbs = logged
    once = figures(called("explored", str(log), "--judgements", str(thumbs), *PRICES).stdout)
    copied = lines(tmp_path / "copied.jsonl", [*map(json.loads, log.read_text().splitlines())] * 16)
    done = called("explored", str(copied), "--judgements", str(thumbs), *PRICES)
    assert "48,000 calls" in done.stdout
    for name, (value, low, high) in figures(done.stdout).items():
        assert value == pytest.approx(once[name][0], abs=0.03 if "%" not in name else 3)
        assert high - low > 0.9 * (once[name][2] - once[name][1]), name


def test_calls_of_one_draw_are_one_observation_whatever_their_scores(logged, tmp_path):
    """As of the same words after different system prompts, with ``scored: system+last``."""
    log, thumbs = logged
    rng = np.random.default_rng(1)
    rows = list(map(json.loads, log.read_text().splitlines()))

    def copied(row: dict[str, Any], named: bool) -> dict[str, Any]:
        decision = json.loads(row["metadata"])["spend_logs_metadata"]["routellm"]
        low, high = (0.6, 1.0) if decision["score"] >= 0.6 else (0.0, 0.6)
        decision["score"] = rng.uniform(low, high)
        if not named:
            del decision["draw"]
        return {**row, "metadata": json.dumps({"routellm": decision})}

    widths = {}
    for named in (True, False):
        copies = [copied(row, named) for row in rows for _ in range(16)]
        copies_file = lines(tmp_path / f"{named}.jsonl", copies)
        done = called("explored", str(copies_file), "--judgements", str(thumbs))
        _, low, high = figures(done.stdout)["quality lost to always strong (IPS, exact)"]
        widths[named] = high - low
    once = figures(called("explored", str(log), "--judgements", str(thumbs)).stdout)
    _, low, high = once["quality lost to always strong (IPS, exact)"]
    assert widths[True] > 0.9 * (high - low)
    assert widths[False] < 0.5 * (high - low)  # a log without draws can tell none


def test_plain_rows_and_rows_without_exploration(tmp_path):
    decision = RoutingPolicy("random", threshold=0.5, explore=0.1).decide("hello").as_metadata()
    plain = RoutingPolicy("random", threshold=0.5).decide("hello").as_metadata()
    rows = [{**decision, "quality": 1}] * 40 + [plain, {"tier": "weak"}, {"x": 1}]
    log = lines(tmp_path / "log.jsonl", rows)
    done = called("explored", str(log))
    assert done.returncode == 0, done.stderr
    assert "40 calls" in done.stdout
    said = " ".join(done.stderr.split())
    assert "skipped 1: a decision without exploration" in said
    assert "skipped 1: no decision by a score" in said
    assert "skipped 1: no decision of a router" in said


def test_mistakes_are_one_line(tmp_path, logged):
    log, _ = logged
    none = called("explored", str(lines(tmp_path / "none.jsonl", [{"tier": "weak"}])))
    assert none.returncode == 2
    assert "set explore: 0.01 where you route" in none.stderr
    empty = called("explored", str(lines(tmp_path / "empty.jsonl", [])))
    assert "no call was decided with exploration (the logs are empty): set" in empty.stderr
    wrong = lines(tmp_path / "wrong.jsonl", [{"request_id": "a", "score": 5}])
    done = called("explored", str(log), "--judgements", str(wrong))
    assert done.returncode == 2
    assert "line 1: 'score' is 5.0: write a number in [0, 1]" in done.stderr
    assert done.stderr.strip().count("\n") == 0


def test_a_call_that_two_exports_have_counts_once(logged, tmp_path):
    """Exports of LiteLLM's spend logs overlap where they are made by day or by page."""
    log, thumbs = logged
    rows = [
        {**json.loads(line), "call_type": "acompletion", "spend": 0.01}
        for line in log.read_text().splitlines()
    ]
    early, late = lines(tmp_path / "a.jsonl", rows[:2_000]), lines(tmp_path / "b.jsonl", rows[500:])
    given = ["--judgements", str(thumbs), *PRICES]
    once, twice = (called("explored", *map(str, logs), *given) for logs in ([log], [early, late]))
    assert twice.returncode == 0, twice.stderr
    assert twice.stdout == once.stdout
    said = " ".join(twice.stderr.split())
    assert "skipped 1,500: a call that an earlier row has, by its id" in said
