"""`routellm calibrate` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from routellm_core import Asked, Router, RoutingPolicy, human_turns
from routellm_core.rules.calibration import read_calibration
from tests.fakes import routers
from tests.fakes.routers import EASY, HARD
from tests.fakes.scripted import routers_of

from .command import called

WORDS = ["why", "is", "the", "sky", "blue", "and", "how", "do", "I", "prove", "it", "by", "hand"]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(3, 40))) for _ in range(400)]
    file.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    return file


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """600 pairs; the weak model fails where the random router's score is above .8."""
    file = tmp_path / "pairs.jsonl"
    texts = [f"prompt {i}" for i in range(600)]
    scores = RoutingPolicy("random", threshold=0.5).scores(texts)
    rows = [
        {"prompt": text, "strong": 1, "weak": int(score < 0.8)}
        for text, score in zip(texts, scores, strict=True)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_share_of_none(prompts: Path) -> None:
    done = called("calibrate", "--prompts", str(prompts), "--strong-share", "0")
    assert done.returncode == 0, done.stderr
    assert "\na threshold that no score reaches: 0.0% of these prompts go" in done.stdout


def test_a_share_of_own_prompts(prompts, tmp_path):
    out = tmp_path / "support.json"
    arguments = ["--prompts", str(prompts), "--strong-share", "0.3", "--out", str(out)]
    done = called("calibrate", "--router", "mf", *arguments)
    assert done.returncode == 0, done.stderr
    assert "30.0% of these prompts go to the strong model" in done.stdout
    found = read_calibration(str(out))
    assert (found.router, found.n, found.rule) == ("mf", 400, {"strong_share": 0.3})
    assert f"router-mf-{found.threshold:.5f}" in done.stdout
    assert found.later_turns == 0
    assert "all of them are single prompts: in conversations, follow-ups" in done.stdout
    policy = RoutingPolicy("mf", calibration=str(out))
    texts = [json.loads(line)["prompt"] for line in prompts.read_text().splitlines()]
    tiers = [decision.tier for decision in policy.decide_many(texts)]
    assert tiers.count("strong") / 400 == found.share == 0.3
    scored = called("score", "--file", str(prompts), "--calibration", str(out), "--json")
    assert [json.loads(line)["tier"] for line in scored.stdout.splitlines()] == tiers
    both = called("score", "hi", "--calibration", str(out), "--threshold", ".5")
    assert "'threshold' and 'calibration' are set" in both.stderr
    conversations = ("evaluate", "--router", "mf", "--benchmark", "conversations:test")
    measured = called(*conversations, "--calibration", str(out), "--draws", "100")
    assert f"threshold {found.threshold:.4f}" in measured.stdout


def test_conversations_are_scored_as_a_gateway_does(plugin, tmp_path):
    plugin(routers)
    turns = [[HARD, "Yes, do it."], [EASY], [HARD, EASY], [EASY, "continue"]] * 25
    asked = [
        [{"role": "user", "content": text} for text in each]
        + [{"role": "system", "content": "Be brief."}]
        for each in turns
    ]
    file, out = tmp_path / "chats.jsonl", tmp_path / "support.json"
    file.write_text("".join(json.dumps({"messages": each}) + "\n" for each in asked))
    base = ["calibrate", "--router", "length", "--prompts", str(file)]
    done = called(*base, "--strong-share", "0.25", "--out", str(out))
    assert done.returncode == 0, done.stderr
    policy = RoutingPolicy("length", calibration=str(out))
    decisions = policy.decide_many([Asked(human_turns(each)) for each in asked])
    tiers = [decision.tier for decision in decisions]
    assert tiers.count("strong") / 100 == read_calibration(str(out)).share == 0.25
    assert {decision.cause for decision in decisions} == {"score", "momentum"}
    assert "75 of them are later turns of conversations" in done.stdout
    assert read_calibration(str(out)).later_turns == 75


def test_calls_that_no_threshold_decides_are_left_out(plugin, tmp_path):
    plugin(routers)
    title = f"<session>\n{HARD}\n</session>\n\nWrite the title of this session, and nothing else."
    asked = [{"role": "user", "content": text} for text in (EASY, HARD, EASY, HARD, title, title)]
    file, out = tmp_path / "log.jsonl", tmp_path / "support.json"
    file.write_text("".join(json.dumps({"messages": [each]}) + "\n" for each in asked * 10))
    base = ["calibrate", "--router", "length", "--prompts", str(file)]
    done = called(*base, "--strong-share", "0.5", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "20 side calls, such as titles" in done.stderr
    found = read_calibration(str(out))
    assert (found.n, found.share) == (40, 0.5)
    file.write_text(json.dumps({"messages": [asked[-1]]}))
    none = called(*base, "--strong-share", "0.5")
    assert "all 1 calls are side calls" in none.stderr


def test_the_table_alone(prompts):
    done = called("calibrate", "--router", "random", "--prompts", str(prompts))
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if " 50.0 %" in line]


def test_a_bound_on_the_loss_of_quality(labelled, tmp_path):
    out, plot = tmp_path / "support.json", tmp_path / "curve.svg"
    done = called(
        *("calibrate", "--router", "random", "--labelled", str(labelled)),
        *("--max-quality-loss", "0.05", "--out", str(out), "--plot", str(plot)),
    )
    assert done.returncode == 0, done.stderr
    assert "guaranteed: with confidence 0.95, mean quality is at most 0.05 below" in done.stdout
    assert "(600 labels, exact test)" in done.stdout
    found = read_calibration(str(out))
    assert found.rule == {"max_quality_loss": 0.05, "confidence": 0.95}
    assert 0.8 <= found.threshold <= 0.85
    assert "mean quality" in plot.read_text()


def test_qualities_by_model(tmp_path, labelled):
    rows = [json.loads(line) for line in labelled.read_text().splitlines()]
    file = tmp_path / "gold.jsonl"
    named = [
        {"prompt": r["prompt"], "correct": {"big": r["strong"], "small": r["weak"], "other": 0}}
        for r in rows
    ]
    named[0]["correct"]["small"] = None
    file.write_text("".join(json.dumps(row) + "\n" for row in named))
    base = ["calibrate", "--router", "random", "--max-quality-loss", "0.05", "--labelled"]
    prices = ["--strong-price", "10,30", "--weak-price", "1,3"]
    models = ["--strong-model", "big", "--weak-model", "small"]
    done = called(*base, str(file), *models, *prices)
    assert done.returncode == 0, done.stderr
    assert "(599 labels" in done.stdout
    assert "skipped 1: not both models were measured" in done.stderr
    unnamed = called(*base, str(file))
    assert unnamed.returncode == 2
    assert "--strong-model and --weak-model" in unnamed.stderr
    twice = called(*base, str(file), "--strong-model", "big", "--weak-model", "big")
    assert "are both 'big': name two models" in twice.stderr
    absent = called(*base, str(file), "--strong-model", "big", "--weak-model", "smal", *prices)
    assert "no labels of model 'smal': did you mean 'small'?" in absent.stderr


def test_a_saving_and_a_budget(prompts, tmp_path):
    out = tmp_path / "support.json"
    base = ["calibrate", "--router", "mf", "--prompts", str(prompts), "--out", str(out)]
    prices = ["--strong-price", "10,30", "--weak-price", "1,3", "--output-tokens", "100"]
    done = called(*base, *prices, "--saving", "0.6")
    assert done.returncode == 0, done.stderr
    # A tenth of the price for the weak model: two thirds of the calls save 60 %.
    assert read_calibration(str(out)).share == pytest.approx(1 / 3, abs=0.03)
    assert "400 answers of unknown length are counted as 100 tokens" in done.stderr
    done = called(*base, *prices, "--max-cost-per-1k-requests", "1.5")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.rstrip().endswith("<"))
    assert float(row.split()[3]) <= 1.5


def test_prices_of_litellm_s_table(prompts):
    pytest.importorskip("litellm")
    base = ["calibrate", "--router", "mf", "--prompts", str(prompts), "--saving", "0.5"]
    done = called(*base, "--strong-model", "gpt-4o", "--weak-model", "gpt-4o-mini")
    assert done.returncode == 0, done.stderr
    assert "$ per 1,000 requests" in done.stdout
    wrong = called(*base, "--strong-model", "gpt-4o", "--weak-model", "gpt-4o-minni")
    assert wrong.returncode == 2
    assert "did you mean 'gpt-4o-mini'" in wrong.stderr


def test_a_model_unlike_any_of_the_table_is_no_list_of_others(prompts):
    pytest.importorskip("litellm")
    models = ("--strong-model", "big", "--weak-model", "gpt-4o-mini")
    done = called("calibrate", "--router", "random", "--prompts", str(prompts), *models)
    assert "LiteLLM's table has no price for 'big': give the prices of both models" in done.stderr


def test_labelled_rows_that_repeat_a_prompt_count_as_their_mean(labelled, tmp_path):
    rows = [json.loads(line) for line in labelled.read_text().splitlines()]
    costs = {"strong_cost": 0.01, "weak_cost": 0.001}
    cron = {"prompt": "Summarise the nightly build log.", **costs}
    as_mean = {**cron, "strong": 0.75, "weak": 0.5}
    as_rows = [{**cron, "strong": 1, "weak": 1}, {**cron, "strong": 0.5, "weak": 0}] * 500
    files = []
    for name, more in (("mean", [as_mean]), ("rows", as_rows)):
        files.append(tmp_path / name / "pairs.jsonl")
        files[-1].parent.mkdir()
        lines = [json.dumps(row) for row in [*({**row, **costs} for row in rows), *more]]
        files[-1].write_text("\n".join(lines))
    base = ["calibrate", "--router", "random", "--max-quality-loss", "0.05", "--labelled"]
    once, often = (called(*base, str(file)) for file in files)
    assert once.returncode == often.returncode == 0, often.stderr
    assert "repeat" not in once.stderr
    assert "999 labelled rows repeat the prompt of another one: each prompt counts once" in (
        often.stderr
    )
    assert often.stdout == once.stdout


def test_a_router_without_a_fingerprint_and_ties(prompts, plugin, tmp_path):
    class Coarse(Router):
        instant = True

        def score(self, prompts):
            return np.array([0.25 if len(p) % 4 else 0.75 for p in prompts])

    class Same(Router):
        instant = True

        def score(self, prompts):
            return np.full(len(prompts), 0.5)

    plugin(routers_of(coarse=Coarse, same=Same))
    out = tmp_path / "support.json"
    base = ["calibrate", "--prompts", str(prompts), "--strong-share", "0.5", "--out", str(out)]
    done = called(*base, "--router", "coarse")
    assert "50.0% cannot be reached: many prompts have the same score" in done.stdout
    assert "has no fingerprint" in done.stdout
    assert RoutingPolicy("coarse", calibration=str(out)).threshold == 0.5
    out.unlink()
    refused = called(*base, "--router", "same")
    assert refused.returncode == 2
    assert "gives all 400 prompts the score 0.5" in refused.stderr
    assert not out.exists()


MISTAKES = {
    "nothing": ([], "give --prompts FILE or --labelled FILE"),
    "two kinds": (
        ["--prompts", "P", "--strong-share", ".3", "--saving", ".5"],
        "--strong-share and --saving are given",
    ),
    "share 1.3": (["--prompts", "P", "--strong-share", "1.3"], "--strong-share is 1.3: write"),
    "not a number": (["--prompts", "P", "--strong-share", "nan"], "--strong-share is nan"),
    "loss 0": (["--labelled", "L", "--max-quality-loss", "0"], "--max-quality-loss is 0: write"),
    "loss without labels": (["--prompts", "P", "--max-quality-loss", ".1"], "give --labelled"),
    "confidence alone": (
        ["--prompts", "P", "--confidence", ".9"],
        "only works with --max-quality-loss",
    ),
    "confidence 1": (
        ["--labelled", "L", "--max-quality-loss", ".1", "--confidence", "1"],
        "--confidence is 1: write",
    ),
    "saving too much": (
        [
            *("--prompts", "P", "--saving", ".99"),
            *("--strong-price", "10,10", "--weak-price", ".5,.5"),
        ],
        "the weak model alone costs 5.0% of the strong one, so 95.0% can be saved at most",
    ),
    "budget too small": (
        [
            *("--prompts", "P", "--max-cost-per-1k-requests", ".001"),
            *("--strong-price", "10,10", "--weak-price", ".5,.5"),
        ],
        "on the weak model alone",
    ),
    "cheaper strong model": (
        ["--prompts", "P", "--saving", ".1", "--strong-price", "1,1", "--weak-price", "2,2"],
        "nothing to save",
    ),
    "no prices": (["--prompts", "P", "--saving", ".1"], "needs prices"),
    "one price": (
        ["--prompts", "P", "--saving", ".1", "--weak-price", "2,2"],
        "only one model has",
    ),
    "no price": (
        ["--prompts", "P", "--saving", ".1", "--weak-price", "2", "--strong-price", "3,3"],
        "a price is '2': write",
    ),
    "too few labels": (
        ["--labelled", "F", "--max-quality-loss", ".02"],
        "no threshold qualifies: 12 labels do not show",
    ),
    "labels all equal": (["--labelled", "E", "--max-quality-loss", ".02"], "the same quality"),
    "labels off the scale": (["--labelled", "S", "--max-quality-loss", ".02"], "'strong' is 9"),
    "groups": (["--labelled", "G", "--max-quality-loss", ".02"], "line 2: another row has the"),
    "no file": (["--prompts", "absent.jsonl", "--strong-share", ".3"], "cannot be read"),
    "no rows": (["--prompts", "N", "--strong-share", ".3"], "holds no prompts"),
    "one prompt": (["--prompts", "O", "--strong-share", ".3"], "one prompt is not a sample"),
    "empty file": (["--prompts", "Z", "--strong-share", ".3"], "Z holds no prompts: write a JSON"),
    "empty labels": (
        ["--labelled", "Z", "--max-quality-loss", ".1"],
        "has no rows: write a row",
    ),
    "binary": (["--prompts", "B", "--strong-share", ".3"], "line 1: not UTF-8"),
    "a column is missing": (["--labelled", "C", "--max-quality-loss", ".1"], "line 1: no 'weak'"),
    "labels NaN": (["--labelled", "A", "--max-quality-loss", ".1"], "line 1: 'strong' is nan"),
    "labels of another pair": (
        [
            *("--labelled", "X", "--max-quality-loss", ".1"),
            *("--strong-model", "big", "--weak-model", "small"),
            *("--strong-price", "2,2", "--weak-price", "1,1"),
        ],
        "no labels of model 'big': known: x, y",
    ),
    "prompts for labels": (["--labelled", "P", "--max-quality-loss", ".1"], "line 1: no 'strong'"),
    "plot of a kind": (
        ["--prompts", "P", "--strong-share", ".3", "--plot", "a.bmp"],
        "ends in .svg or .png",
    ),
    "no folder": (["--prompts", "P", "--strong-share", ".3", "--plot", "no/a.png"], "no folder"),
    "router": (
        ["--prompts", "P", "--strong-share", ".3", "--router", "randm"],
        "did you mean 'random'",
    ),
    "option": (
        ["--prompts", "P", "--strong-share", ".3", "--option", "seed"],
        "write NAME=VALUE",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_wish_that_cannot_be_met_is_one_line_and_nothing_is_written(
    prompts, tmp_path, monkeypatch, case
):
    monkeypatch.chdir(tmp_path)
    rows = {
        "L": [{"prompt": "a", "strong": 1, "weak": 0}] * 2,
        "F": [{"prompt": f"p{i}", "strong": 1, "weak": i % 2} for i in range(12)],
        "E": [{"prompt": f"p{i}", "strong": i % 2, "weak": i % 2} for i in range(50)],
        "S": [{"prompt": "a", "strong": 9, "weak": 3}],
        "G": [{"prompt": "a", "strong": 1, "weak": 0, "group": 1}] * 2,
        "N": [],
        "O": [{"prompt": "a"}],
        "C": [{"prompt": "a", "strong": 1}],
        "A": [{"prompt": "a", "strong": float("nan"), "weak": 1}],
        "X": [{"prompt": "a", "correct": {"x": 1, "y": 0}}],
    }
    (tmp_path / "Z").write_bytes(b"")
    (tmp_path / "B").write_bytes(b"\x80\x00\xff")
    for name, content in rows.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in content))
    arguments, message = MISTAKES[case]
    given = [str(prompts) if word == "P" else word for word in arguments]
    router = [] if "--router" in given else ["--router", "random"]
    done = called("calibrate", *router, *given, "--out", "support.json")
    assert done.returncode == 2, done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert all(done.stderr.splitlines())
    assert not (tmp_path / "support.json").exists()


def test_an_input_is_not_overwritten(prompts, tmp_path):
    before = prompts.read_text()
    plot = tmp_path / "prompts.svg"
    plot.write_text(before)
    share = ["--strong-share", "0.3"]
    for arguments in (
        ["calibrate", "--prompts", str(prompts), *share, "--out", str(prompts)],
        ["calibrate", "--prompts", str(plot), *share, "--plot", str(plot)],
        ["score", "--file", str(prompts), "--out", str(prompts)],
        ["report", str(prompts), "--markdown", str(prompts)],
        ["store", "export", str(prompts), "--out", str(prompts)],
    ):
        done = called(*arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "is an input of this command: name another file to write" in done.stderr
    assert prompts.read_text() == plot.read_text() == before
