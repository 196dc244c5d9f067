"""`routellm pairs`: routers on every pair of models of a file of outcomes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from routellm_core import load_router
from routellm_core.cli import app
from routellm_core.routers.item_response import win_rates
from tests.benchmarks.quality.common_sense import prompts
from tests.fakes import routers


def test_each_file_has_a_row_and_each_router_a_column(plugin, tmp_path: Path) -> None:
    plugin(routers)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(200):
        long = number % 2 == 0
        prompt = " ".join(rng.choice(["a", "b", "c", "d"], 9 if long else 3)) + f" {number}"
        correct = {"large": 1.0, "small": float(not long), "tiny": float(rng.random() < 0.3)}
        rows.append({"prompt": prompt, "task": "t", "correct": correct})
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["pairs", str(file), "--router", "length", "--router", "random", "--draws", "50"]
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, given)
    assert done.exit_code == 0, done.output
    # Only large and small are a pair: tiny is right too rarely.
    row = next(line for line in done.output.splitlines() if "mine" in line)
    cells = [cell.strip() for cell in row.split("│")[1:-1]]
    assert cells[:3] == ["mine", "200", "1"]
    length, random = (float(cell.split()[0]) for cell in cells[3:5])
    assert length > 0.7
    assert 0.35 < random < 0.65


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("{}\n")
    done = CliRunner().invoke(app, ["pairs", str(wrong)])
    assert done.exit_code != 0
    assert "line 1" in str(done.exception)


def test_a_file_without_a_pair_says_so(tmp_path: Path) -> None:
    file = tmp_path / "weak.jsonl"
    rows = [{"prompt": f"Q{i}?", "correct": {"big": 1, "small": 0}} for i in range(30)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["pairs", str(file), "--router", "random"])
    assert done.exit_code == 0, done.output
    assert "weak.jsonl: no two models differ by .03 or more with the weaker one at" in done.stderr


def test_abilities_are_on_the_scale_of_the_router_and_give_win_rates_that_are_probabilities(
    tmp_path: Path,
) -> None:
    """Models are right as their ability and the router's own difficulty of a prompt say."""
    router = load_router("mf")
    rng = np.random.default_rng(0)
    texts = [f"{pair[key]} {i}" for i in range(8) for pair in prompts() for key in ("easy", "hard")]
    difficulty, contrast = router.tell(texts).T
    rows = [{"prompt": text, "task": "t", "correct": {}} for text in texts]
    truth = {"large": 2.0, "middle": 1.2, "small": 0.4}
    for name, ability in truth.items():
        for row, hard in zip(rows, difficulty, strict=True):
            row["correct"][name] = float(rng.random() < 1 / (1 + np.exp(hard - ability)))
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["pairs", str(file), "--abilities", "--draws", "50"]
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "repeat" not in done.stderr
    for name, ability in truth.items():
        row = next(line for line in done.output.splitlines() if name in line)
        shown = float(row.split("│")[4])
        assert shown == pytest.approx(ability, abs=0.35)
    (line,) = (
        line for line in done.output.splitlines() if line.startswith("mf: the win rates by these")
    )
    assert float(line.split("error of ")[1].split()[0]) < 0.05
    # What it tells is what it scores by.
    pair = load_router("mf", strong_ability=2.0, weak_ability=0.4)
    expected = win_rates(2.0 - difficulty, 0.4 - difficulty, contrast)
    assert pair.score(texts) == pytest.approx(expected, abs=1e-6)


def test_a_router_that_tells_no_difficulty_has_no_abilities(plugin, tmp_path: Path) -> None:
    plugin(routers)
    file = tmp_path / "mine.jsonl"
    rows = [{"prompt": f"Q{i}?", "correct": {"big": 1, "small": i % 2}} for i in range(60)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["pairs", str(file), "--router", "random", "--abilities"])
    assert done.exit_code != 0
    assert "needs a router that estimates difficulty: name mf or bert" in str(done.exception)


def test_samples_of_a_prompt_are_no_lack_of_calibration(tmp_path: Path) -> None:
    """Twenty answers of each model to each prompt, right as often as the router says."""
    rng = np.random.default_rng(1)
    texts = [f"{pair[key]} {i}" for i in range(4) for pair in prompts() for key in ("easy", "hard")]
    difficulty, _ = load_router("mf").tell(texts).T
    rows = [
        {
            "prompt": text,
            "correct": {
                name: int(rng.random() < 1 / (1 + np.exp(hard - ability)))
                for name, ability in {"large": 2.0, "small": 0.4}.items()
            },
        }
        for text, hard in zip(texts, difficulty, strict=True)
        for _ in range(20)
    ]
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner(env={"COLUMNS": "160"}).invoke(
        app, ["pairs", str(file), "--abilities", "--draws", "50"]
    )
    assert done.exit_code == 0, done.output
    further = f"{2 * 19 * len(texts):,} labels repeat the prompt of another"
    assert f"samples.jsonl: {further}" in done.stderr
    error = re.search(r"calibration error of (\S+) on average", done.stdout)
    assert error is not None
    assert float(error[1]) < 0.07
