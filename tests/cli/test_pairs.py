"""`routellm pairs`: routers on every pair of models of a file of outcomes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from routellm_core.cli import app
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
