"""Routers that are judged on prompts that they learned."""

from __future__ import annotations

import json
from pathlib import Path

from routellm_core import training
from routellm_core.checkpoints.learned import count_learned, learned_by
from tests.cli.command import called
from tests.cli.label_files import NAMED, PAIR, ROWS, WORDS, as_lines, by_model, own, trained

ANCHORS = Path(training.__file__).with_name("anchors.jsonl")


def test_a_router_that_is_judged_on_what_it_learned_says_so(tmp_path: Path) -> None:
    path = own(tmp_path / "own.jsonl")
    trained(path, *PAIR)
    router = str(tmp_path / "router")
    learned = json.loads((tmp_path / "router" / "metrics.json").read_text())["sources"]["own"]
    count = learned["train_prompts"] + learned["validation_prompts"]
    assert len(learned["learned"].split()) == count == 60
    judge = ("evaluate", "--router", "mf", *NAMED, "--draws", "100", "--no-cache", "--benchmark")
    said = f"mf=router learned {count} of the 60 prompts of own, so its figures there are too good"
    assert said in called(*judge, str(path), "--router", f"mf={router}").stderr
    calibrate = ("calibrate", *NAMED, "--labelled", str(path), "--max-quality-loss", "0.3")
    prices = ("--strong-price", "10,30", "--weak-price", "1,3")
    done = called(*calibrate, *prices, "--checkpoint", router)
    assert f"the router was trained on {count} of the labelled prompts" in done.stderr
    assert "was trained on" not in called(*calibrate, *prices).stderr
    pairs = called("pairs", str(path), "--router", f"mf={router}", "--draws", "50")
    assert f"mf=router learned {count} of the 60 prompts of own.jsonl" in pairs.stderr
    other = tmp_path / "other.jsonl"
    rows = [by_model({**row, "prompt": f"Another {row['prompt']}"}) for row in ROWS]
    other.write_text(as_lines(rows))
    assert "learned" not in called(*judge, str(other), "--router", f"mf={router}").stderr


def test_so_does_one_that_was_adapted(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [
        {"prompt": f"{word} {number}?", "strong": 1, "weak": int(word in WORDS[:2])}
        for number in range(60)
        for word in WORDS
    ]
    path.write_text(as_lines(rows))
    out = str(tmp_path / "router")
    adapt = ("adapt", "--labels", str(path), "--out")
    done = called(*adapt, out)
    assert done.returncode == 0
    assert "learned" not in done.stderr
    again = called(*adapt, str(tmp_path / "again"), "--from", out)
    assert f"'{out}' learned 300 of the 300 prompts before" in again.stderr
    judge = ("evaluate", "--draws", "100", "--no-cache", "--benchmark", str(path))
    done = called(*judge, "--router", f"mf={out}")
    assert "mf=router learned 300 of the 300 prompts of own" in done.stderr


def test_so_does_a_bundled_router(tmp_path: Path) -> None:
    anchors = [json.loads(line)["prompt"] for line in ANCHORS.read_text().splitlines()]
    path = tmp_path / "own.jsonl"
    rows = [{"prompt": text, "strong": 1, "weak": at % 2} for at, text in enumerate(anchors)]
    path.write_text(as_lines(rows))
    count = count_learned(anchors, learned_by("mf", None))
    assert count > 100
    of = f"{count} of the {len(anchors)} prompts"
    done = called("calibrate", "--labelled", str(path), "--max-quality-loss", "0.3")
    assert f"the router was trained on {count} of the labelled prompts" in done.stderr
    done = called("adapt", "--labels", str(path), "--out", str(tmp_path / "router"))
    assert f"'mf' learned {of} before" in done.stderr
    judge = ("evaluate", "--router", "mf", "--draws", "100", "--no-cache", "--benchmark", str(path))
    assert f"mf learned {of} of own" in called(*judge).stderr
