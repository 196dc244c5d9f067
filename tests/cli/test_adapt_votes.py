"""`routellm adapt --votes`: thumbs on answers become labels where the model was drawn at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core import Decision
from routellm_core.data.logs.calls import Skipped
from routellm_core.traffic.adapt.votes import read_stored_votes, read_votes
from routellm_core.traffic.exploration.logs import read_judgements
from routellm_core.traffic.store.feedback_file import read_feedback
from routellm_core.traffic.store.kept import Feedback
from routellm_core.traffic.store.store import Store
from tests.cli.command import called
from tests.cli.test_adapt import WORDS
from tests.traffic.exchanges import answer, request


def traffic(folder: Path, n: int, explore: float | None, seed: int = 0) -> tuple[str, str]:
    """Write logs of calls and thumbs on their answers: the weak model fails at sums, two fifths of
    all prompts; a rule that knows nothing decides.
    """
    rng = np.random.default_rng(seed)
    calls, thumbs = [], []
    for k in range(n):
        is_sum = rng.random() < 0.4
        prompt = (
            f"{k} + {k * 7} = ?" if is_sum else f"Tell me about {' '.join(rng.choice(WORDS, 6))}"
        )
        strong = bool(rng.random() < 0.5)
        explored = bool(explore and rng.random() < explore)
        decision: dict[str, Any] = {
            "tier": "strong" if strong != explored else "weak",
            **{"score": 0.6 if strong else 0.4, "threshold": 0.5, "router": "mf"},
            "cause": "exploration" if explored else "score",
        }
        if explore:
            decision["propensity"] = explore if explored else 1 - explore
        calls.append(
            {
                "request_id": f"r{k}",
                "messages": [{"role": "user", "content": prompt}],
                "metadata": {"spend_logs_metadata": {"routellm": decision}},
            }
        )
        good = 0.2 if is_sum and decision["tier"] == "weak" else 0.98
        thumbs.append({"request_id": f"r{k}", "score": int(rng.random() < good)})
    paths = folder / "calls.jsonl", folder / "thumbs.jsonl"
    for path, rows in zip(paths, (calls, thumbs), strict=True):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(paths[0]), str(paths[1])


def test_thumbs_on_explored_calls_move_the_router(tmp_path: Path):
    calls, thumbs = traffic(tmp_path, 1500, explore=0.5, seed=1)
    out = tmp_path / "mine"
    done = called(
        *("adapt", "--labels", calls, "--votes", thumbs, "--out", str(out)),
        *("--max-quality-loss", "0.05", "--strong-price", "10", "--weak-price", "1"),
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("deploy"))
    assert line.endswith(" at a quality loss of at most .05 (95 %)")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["gap"]["low"] < 0.4 * 0.78 < metrics["gap"]["high"]
    assert metrics["cross_validated"]["adapted"]["apgr"]["value"] > 0.7


@pytest.mark.parametrize("explore", [0.5, 0.1])
def test_the_mean_of_votes_is_the_difference_of_qualities(tmp_path: Path, explore: float):
    found = []
    for seed in range(20):
        calls, thumbs = traffic(tmp_path, 1000, explore, seed)
        labels = read_votes([Path(calls)], read_judgements(Path(thumbs)), Skipped())
        assert labels.unit == pytest.approx(2 * explore)
        assert max(labels.strong.max(), labels.weak.max()) <= 1
        found.append(labels.gains.mean())
    error = np.std(found, ddof=1) / len(found) ** 0.5
    assert abs(np.mean(found) - 0.4 * 0.78) < 3 * error


def test_few_explored_votes_say_not_yet(tmp_path: Path):
    calls, thumbs = traffic(tmp_path, 300, explore=0.01)
    done = called("adapt", "--labels", calls, "--votes", thumbs, "--out", str(tmp_path / "mine"))
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(("not yet", "no")) for line in done.stdout.splitlines())


def test_one_sided_votes_are_no_labels_and_that_is_one_line(tmp_path: Path):
    calls, thumbs = traffic(tmp_path, 50, explore=None)
    out = ("--out", str(tmp_path / "mine"))
    done = called("adapt", "--labels", calls, "--votes", thumbs, *out)
    assert done.returncode == 2
    assert "no vote is of a call that `explore` drew" in done.stderr
    assert "skipped 50: a vote on one answer" in done.stderr
    assert "Traceback" not in done.stderr
    done = called("adapt", "--labels", thumbs, *out)
    assert done.returncode == 2
    assert "a vote on one answer, and no label of two: give it as --votes" in done.stderr


def test_one_sided_votes_beside_explored_ones_are_counted(tmp_path: Path):
    explored, thumbs = traffic(tmp_path, 60, explore=0.5)
    lines = Path(explored).read_text().splitlines()
    plain = json.loads(lines[0])
    del plain["metadata"]["spend_logs_metadata"]["routellm"]["propensity"]
    Path(explored).write_text("\n".join([json.dumps(plain), *lines[1:]]) + "\n")
    out = ("--out", str(tmp_path / "mine"))
    done = called("adapt", "--labels", explored, "--votes", thumbs, *out)
    assert done.returncode == 0, done.stderr
    assert "skipped 1: a vote on one answer, which says nothing of the other model" in done.stderr


def stored(folder: Path, calls: str) -> Path:
    """Return a store of the calls in a log, each sampled, as shadow mode keeps them."""
    kept: list[Any] = []
    for line in Path(calls).read_text().splitlines():
        row = json.loads(line)
        decision = Decision.from_metadata(
            {**row["metadata"]["spend_logs_metadata"]["routellm"], "elapsed_ms": 0.1}
        )
        prompt = row["messages"][0]["content"]
        made = request(row["request_id"], decision=decision, prompt=prompt, propensity=1.0)
        kept += [made, (made.request_id, answer(decision.tier))]
    Store(str(folder / "traffic.db")).add(kept)
    return folder / "traffic.db"


def test_feedback_in_a_store_makes_the_labels_that_logs_make(tmp_path: Path):
    calls, thumbs = traffic(tmp_path, 600, explore=0.25)
    path = stored(tmp_path, calls)
    store, votes = Store(str(path)), Path(thumbs)
    by_file = read_stored_votes(store, read_judgements(votes), Skipped())
    assert store.add_feedback(read_feedback(votes)) == (600, 0)
    by_store = read_stored_votes(store, {}, Skipped())
    by_logs = read_votes([Path(calls)], read_judgements(votes), Skipped())
    for found in (by_file, by_store):
        assert dict(zip(found.prompts, found.gains, strict=True)) == pytest.approx(
            dict(zip(by_logs.prompts, by_logs.gains, strict=True))
        )
        assert found.unit == by_logs.unit
    out = tmp_path / "mine"
    done = called("adapt", "--labels", str(path), "--out", str(out), "--max-quality-loss", "0.05")
    assert done.returncode == 0, done.stderr
    assert (out / "metrics.json").exists()


def test_of_routes_that_share_a_store_one_is_learned(tmp_path: Path):
    calls, thumbs = traffic(tmp_path, 60, explore=0.5)
    path = stored(tmp_path, calls)
    store = Store(str(path))
    drawn = Decision("weak", 0.4, 0.5, "mf", "score", 0.1, propensity=0.9)
    store.add([request("other", route="code", decision=drawn), ("other", answer())])
    store.add_feedback([*read_feedback(Path(thumbs)), Feedback("other", 1.0)])
    asked = ("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    done = called(*asked)
    assert done.returncode == 2
    assert "has several routes: name one of 'c" in done.stderr
    done = called(*asked, "--route", "coed")
    assert done.returncode == 2
    assert "has calls with exploration of 'c" in done.stderr
    done = called(*asked, "--route", "chat")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "mine" / "metrics.json").read_text())["labels"] == 60
    done = called("adapt", "--labels", calls, "--out", str(tmp_path / "b"), "--route", "chat")
    assert "--route is for a store" in done.stderr


def test_of_a_call_with_both_answers_judged_these_are_the_label(tmp_path: Path):
    calls, _ = traffic(tmp_path, 2, explore=0.25)
    store = Store(str(stored(tmp_path, calls)))
    for k in range(2):
        served = next(row["tier"] for row in store.answers() if row["request_id"] == f"r{k}")
        other = {"strong": "weak", "weak": "strong"}[served]
        store.add([(f"r{k}", answer(other, shadow=True))])
    store.add_feedback([Feedback(f"r{k}", 0.9, "strong") for k in range(2)])
    store.add_feedback([Feedback(f"r{k}", 0.2, "weak") for k in range(2)])
    labels = read_stored_votes(store, {}, Skipped())
    assert labels.gains.tolist() == pytest.approx([0.7, 0.7])


def test_a_store_without_texts_or_exploration_says_so_in_one_line(tmp_path: Path):
    out, path = ("--out", str(tmp_path / "mine")), str(tmp_path / "traffic.db")
    store = Store(path)
    store.add([request(), ("r1", answer())])
    done = called("adapt", "--labels", path, *out)
    assert done.returncode == 2
    assert "no vote is of a call that `explore` drew" in done.stderr
    drawn = Decision("weak", 0.4, 0.5, "mf", "score", 0.1, propensity=0.9)
    store.add([request(decision=drawn, prompt=None), ("r1", answer())])
    store.add_feedback([Feedback("r1", 1.0)])
    done = called("adapt", "--labels", path, *out)
    assert done.returncode == 2
    assert "skipped 1: no prompt: a store keeps the texts of sampled requests" in done.stderr
