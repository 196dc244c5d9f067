"""A pair that is the wrong way round, no better, or cheaper is told by each command."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Done, called

BETTER, WORSE = "gpt-4o-mini", "gpt-4o"
"""Whichever the answers say: the second one is dearer in LiteLLM's table."""

CHEAPER = (
    f"the strong model '{BETTER}' is the cheaper one by LiteLLM's table (0.15 and 0.6 against "
    "2.5 and 10 for a million tokens read and written): if it is the better one too, call it "
    "alone; if not, swap the two"
)
COMMANDS = ("train", "cross-validate", "evaluate", "calibrate", "adapt")

needs_table = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="LiteLLM is not installed"
)


def _write(path: Path, right: dict[str, list[int]], **more: Any) -> Path:
    """Write rows in which models are right by turns, as the lists say."""
    rows = [
        {
            "prompt": f"Question {number} about {'sums and proofs' if number % 2 else 'verse'}?",
            "correct": {model: turns[number % len(turns)] for model, turns in right.items()},
            **more,
        }
        for number in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _run(command: str, path: Path, strong: str, weak: str, *more: str) -> Done:
    out = str(path.parent / "out")
    named = ("--strong-model", strong, "--weak-model", weak)
    pair = ("--set", f"strong_model={strong}", "--set", f"weak_model={weak}")
    given = {
        "train": ("mf", "--gold", str(path), *pair, "--out", out),
        "cross-validate": ("mf", "--gold", str(path), *pair, "--folds", "2", "--out", out),
        "evaluate": ("--router", "mf", "--benchmark", str(path), *named, "--no-cache"),
        "calibrate": ("--labelled", str(path), *named, "--strong-share", "0.5"),
        "adapt": ("--labels", str(path), *named, "--out", out),
    }
    draws = ("--draws", "100") if command in ("cross-validate", "evaluate") else ()
    return called(command, *given[command], *draws, *more)


@needs_table
@pytest.mark.parametrize("command", COMMANDS)
def test_the_strong_model_is_the_cheaper_one(tmp_path: Path, command: str) -> None:
    path = _write(tmp_path / "own.jsonl", {BETTER: [1, 1, 1, 1, 0], WORSE: [1, 0, 0]})
    done = _run(command, path, BETTER, WORSE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.replace("\n", " ").count(CHEAPER) == 1
    path = _write(tmp_path / "own.jsonl", {WORSE: [1, 1, 1, 1, 0], BETTER: [1, 0, 0]})
    (tmp_path / "out").rename(tmp_path / "before") if (tmp_path / "out").exists() else None
    done = _run(command, path, WORSE, BETTER)
    assert done.returncode == 0, done.stderr
    assert "cheaper one" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_models_without_a_price_are_taken_as_they_are(tmp_path: Path, command: str) -> None:
    path = _write(tmp_path / "own.jsonl", {"big": [1, 1, 1, 1, 0], "small": [1, 0, 0]})
    done = _run(command, path, "big", "small")
    assert done.returncode == 0, done.stderr
    assert "cheaper one" not in done.stderr


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "adapt"])
def test_costs_in_the_file_come_before_a_table(tmp_path: Path, command: str) -> None:
    right = {BETTER: [1, 1, 1, 1, 0], WORSE: [1, 0, 0]}
    path = _write(tmp_path / "own.jsonl", right, strong_cost=0.002, weak_cost=0.001)
    assert "cheaper one" not in _run(command, path, BETTER, WORSE).stderr
    path = _write(tmp_path / "own.jsonl", right, strong_cost=0.001, weak_cost=0.002)
    (tmp_path / "out").rename(tmp_path / "before") if (tmp_path / "out").exists() else None
    assert "is the cheaper one by " in _run(command, path, BETTER, WORSE).stderr


@pytest.mark.parametrize(
    ("command", "prices"),
    [
        ("evaluate", ("--strong-price", "1", "--weak-price", "2")),
        ("calibrate", ("--strong-price", "1,2", "--weak-price", "1,3")),
        ("adapt", ("--strong-price", "1", "--weak-price", "2")),
    ],
)
def test_so_do_prices_that_are_given(tmp_path: Path, command: str, prices: tuple[str, ...]) -> None:
    path = _write(tmp_path / "own.jsonl", {"big": [1, 1, 1, 1, 0], "small": [1, 0, 0]})
    done = _run(command, path, "big", "small", *prices)
    assert done.returncode == 0, done.stderr
    assert "the strong model 'big' is the cheaper one by the prices given" in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("train", 2, "'big' wins more often than 'small' (a win rate of"),
        ("cross-validate", 2, "own is left out: the strong model is no better on own"),
        ("evaluate", 2, "the strong model is no better on average"),
        ("calibrate", 0, "the strong model is no better on these labels (mean quality"),
        ("adapt", 0, "the strong model is no better on own.jsonl (mean quality"),
    ],
)
def test_the_pair_is_the_wrong_way_round(
    tmp_path: Path, command: str, code: int, said: str
) -> None:
    path = _write(tmp_path / "own.jsonl", {"big": [1, 1, 1, 1, 0], "small": [1, 0, 0]})
    done = _run(command, path, "small", "big")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "swap" in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("train", 0, "'big' is not clearly better than 'small' (a win rate of 0.500 +- "),
        ("cross-validate", 2, "own is left out: the strong model is no better on own"),
        ("evaluate", 2, "the strong model is no better on average"),
        ("calibrate", 0, "the strong model is no better on these labels (mean quality 0.5 against"),
        ("adapt", 0, "the strong model is no better on own.jsonl (mean quality 0.5 against 0.5)"),
    ],
)
def test_the_strong_model_is_no_better(tmp_path: Path, command: str, code: int, said: str) -> None:
    path = _write(tmp_path / "own.jsonl", {"big": [1, 1, 0, 0], "small": [1, 0, 1, 0]})
    done = _run(command, path, "big", "small")
    assert done.returncode == code, done.stderr
    assert said in done.stderr.replace("\n", " ")
