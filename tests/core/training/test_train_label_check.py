"""`routellm train` checks gold labels first, and leaves out format failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("yaml")

from routellm_core.checkpoints.store import CARD
from routellm_core.cli import app
from routellm_core.training.shared.card import METRICS

FINDING = "exam: format failure: model 'big' on task 'maths': right on 0 % of 40 prompts"
OPTIONS = "\nA. one\nB. two\nC. three\nD. four"


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Labels of two tasks; on one the strong model's answers were not read."""
    words = ["river", "moon", "poem", "cat", "tree", "song", "stone"]
    rows = []
    for number in range(40):
        text = " ".join(words[(number * step + step) % 7] for step in (1, 2, 3, number % 5))
        correct = {"big": 0, "small": number % 2}
        prompt = f"What is {number} times {number * 3}? {text}{OPTIONS}"
        rows.append({"prompt": prompt, "task": "maths", "correct": correct})
        correct = {"big": 1, "small": number % 2}
        rows.append({"prompt": f"{text}, {number}?", "task": "letters", "correct": correct})
    path = tmp_path / "exam.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _train(gold: Path, out: Path, *arguments: str) -> Result:
    settings = ["strong_model=big", "weak_model=small", "validation_share=0.3", *arguments]
    given = [word for setting in settings for word in ("--set", setting)]
    command = ["train", "sw_ranking", "--gold", str(gold), "--out", str(out), *given]
    return CliRunner().invoke(app, command)


def _prompts(out: Path) -> int:
    (source,) = json.loads((out / METRICS).read_text())["sources"].values()
    return int(source["train_prompts"] + source["validation_prompts"])


def test_format_failures_are_reported_and_left_out(gold: Path, tmp_path: Path) -> None:
    done = _train(gold, tmp_path / "out")
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    (line,) = [line for line in lines if line.startswith(f"- {FINDING}")]
    assert line in (tmp_path / "out" / CARD).read_text().splitlines()
    # Before training, and so before its results.
    assert lines.index(line) < next(i for i, each in enumerate(lines) if "APGR" in each)
    assert _prompts(tmp_path / "out") == 40


def test_the_configuration_can_keep_them(gold: Path, tmp_path: Path) -> None:
    done = _train(gold, tmp_path / "out", "keep_format_failures=true")
    assert done.exit_code == 0, done.output
    assert FINDING in done.stderr
    assert f"- {FINDING}" in (tmp_path / "out" / CARD).read_text()
    assert _prompts(tmp_path / "out") == 80
