"""`routellm cross-validate --by task`: whole subjects are kept out of training, and judged on."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from routellm_core.cli import app
from routellm_core.data.digests import sha256_of
from routellm_core.errors import ConfigError, DataError
from routellm_core.evaluation.benchmarks import benchmark as benchmarks
from routellm_core.evaluation.benchmarks.benchmark import (
    STRONG_MODEL,
    WEAK_MODEL,
    load_benchmark,
    mmlu_gold_hashes,
)
from routellm_core.progress import SILENT
from routellm_core.training.shared.config import TrainingConfig
from routellm_core.training.shared.files import TrainingFiles, read_files
from routellm_core.training.shared.prepare import split
from routellm_core.training.trainers import find_trainer
from tests.fakes.watched_training import watched_training

SUBJECTS = [f"subject_{letter}" for letter in "abcdef"]
QUESTIONS = 30
"""Of each subject."""

CONFIG = f"""
strong_model: {STRONG_MODEL}
weak_model: {WEAK_MODEL}
num_tiers: 2
validation_share: 0.2
"""

Train = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def evals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation folder in which sums need the strong model, in every subject alike, and one
    question stands in every subject.
    """
    folder = tmp_path_factory.mktemp("evals")
    draw = random.Random(0)
    words = ["river", "poem", "cat", "moon", "tree", "song"]
    for name in ("mmlu", "gsm8k", "mt_bench"):
        (folder / name).mkdir()
        (folder / name / "contaminated_prompts.jsonl").write_text("")
    (folder / "mmlu" / "responses").mkdir()
    columns = ["prompt", WEAK_MODEL, STRONG_MODEL]
    for subject in SUBJECTS:
        rows: list[list[object]] = [["The same everywhere?", True, True]]
        for number in range(QUESTIONS):
            text = f"{' '.join(draw.sample(words, 4))} of {subject} {draw.randrange(10**6)}"
            sums = number % 2 == 0
            prompt = f"What is {number} + {number} times {text}" if sums else f"Tell me: {text}"
            rows.append([prompt, not sums, True])
        with (folder / "mmlu" / "responses" / f"mmlu_{subject}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    with (folder / "gsm8k" / "gsm8k_responses.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, ["1 + 1?", False, True]])
    for name in ("question.jsonl", "judgements.jsonl"):
        (folder / "mt_bench" / name).write_text("")
    return folder


@pytest.fixture(autouse=True)
def few_gold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the questions is gold."""
    monkeypatch.setattr(benchmarks, "MMLU_GOLD_SIZE", len(SUBJECTS) * QUESTIONS // 3)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def _run(evals: Path, config: Path, out: Path, *arguments: str) -> Result:
    given = [f"sw_ranking={config}", "--gold-mmlu", str(evals), "--out", str(out)]
    few = ["--by", "task", "--folds", "3", "--draws", "100"]
    return CliRunner(env={"COLUMNS": "140"}).invoke(
        app, ["cross-validate", *given, *few, *arguments]
    )


def _found(out: Path) -> Any:
    """Return the result on the questions of MMLU that are no gold."""
    _, found = json.loads((out / "results.json").read_text())["benchmarks"]
    return found


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainingFiles]:
    return watched_training(monkeypatch)


def test_all_folds_together_are_judged_on_what_is_no_gold(
    evals: Path, config: Path, tmp_path: Path
) -> None:
    done = _run(evals, config, tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = _found(tmp_path / "out")
    # The question that stands in every subject is of no fold.
    gold = set(mmlu_gold_hashes(evals))
    assert found["n"] == len(SUBJECTS) * QUESTIONS - len(gold - {sha256_of("The same everywhere?")})
    router, *baselines = found["results"]
    assert router["name"] == "sw_ranking=config.yaml"
    # A router that is wrong everywhere has 0, and the oracle has .75 where half of it is to gain.
    assert router["apgr"]["value"] > 0.65
    assert router["apgr"]["low"] < router["apgr"]["value"] < router["apgr"]["high"]
    assert "prompt length" in router["over"]
    assert {"prompt length", "oracle", "random"} <= {each["name"] for each in baselines}
    assert found["benchmark"] == "mmlu, subjects held out"
    assert f"n = {found['n']}" in done.output


def test_the_rows_are_those_of_the_results(evals: Path, config: Path, tmp_path: Path) -> None:
    assert _run(evals, config, tmp_path).exit_code == 0
    found = _found(tmp_path)
    rows = (tmp_path / "cross_validation.md").read_text().splitlines()
    apgr, over = (row for row in rows if row.startswith("| mmlu, subjects held out, n = "))
    figures = found["results"][0]
    assert f"{figures['apgr']['value']:.3f}".lstrip("0") in apgr
    assert f"{figures['over']['prompt length']['value']:+.3f}".replace("0.", ".") in over
    assert 0 < figures["cpt_50"]["value"] < figures["cpt_80"]["value"] <= 1


def test_nothing_is_learned_of_a_folds_own_subjects(
    evals: Path, config: Path, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    assert _run(evals, config, tmp_path / "out").exit_code == 0
    settings = TrainingConfig(strong_model=STRONG_MODEL, weak_model=WEAK_MODEL)
    gold = set(mmlu_gold_hashes(evals))
    everything = set(load_benchmark("mmlu", evals).prompts)
    held = []
    for files in trained:
        data = split(files, settings, SILENT)
        learned = [data.comparisons.prompts[i] for i in np.flatnonzero(data.train)]
        tasks = {task for i in np.flatnonzero(data.train) for task in data.comparisons.tasks[i]}
        held.append(set(SUBJECTS) - tasks)
        assert set(map(sha256_of, learned)) < gold
        # Gold of the subjects held out, and all that is judged on, is kept out of every file.
        kept_out = set(read_files(files).evaluation)
        assert not kept_out & set(learned)
        assert files.held_out is not None
        assert gold == set(map(sha256_of, learned)) | set(files.held_out)
        assert {sha256_of(prompt) for prompt in everything - kept_out} == gold
    assert sorted(subject for own in held for subject in own) == SUBJECTS


def test_a_fold_that_is_done_is_not_trained_again(
    evals: Path, config: Path, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert _run(evals, config, whole).exit_code == 0
    assert _run(evals, config, parts).exit_code == 0
    (parts / "sw_ranking=config.yaml" / "fold-1.json").unlink()
    for written_at_the_end in ("results.json", "cross_validation.md"):
        (parts / written_at_the_end).unlink()
    trained.clear()
    assert _run(evals, config, parts).exit_code == 0
    assert len(trained) == 1
    assert (parts / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    assert sorted(path.name for path in parts.rglob("*")) == [
        "cross_validation.md",
        *(f"fold-{fold}.json" for fold in range(3)),
        "results.json",
        "sw_ranking=config.yaml",
    ]


def test_another_runs_folder_is_refused(evals: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _run(evals, config, out).exit_code == 0
    config.write_text(CONFIG + "gamma: 20\n")
    for arguments in ((), ("--folds", "2")):
        refused = _run(evals, config, out, *arguments)
        assert isinstance(refused.exception, ConfigError)
        assert "belongs to another run" in str(refused.exception)


@pytest.mark.parametrize("folds", ["1", "7"])
def test_folds_must_fit_the_subjects(evals: Path, config: Path, tmp_path: Path, folds: str) -> None:
    refused = _run(evals, config, tmp_path, "--folds", folds)
    assert isinstance(refused.exception, ConfigError)
    assert "from 2 to 6" in str(refused.exception)


def test_a_file_that_is_missing_is_named(evals: Path, config: Path, tmp_path: Path) -> None:
    refused = _run(evals, config, tmp_path, "--gold", str(tmp_path / "none.jsonl"))
    assert isinstance(refused.exception, DataError)
    assert "none.jsonl cannot be read" in str(refused.exception)


def test_a_router_that_cannot_be_trained_is_told(evals: Path, tmp_path: Path) -> None:
    given = ["sw_rankin", "--gold-mmlu", str(evals), "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, ["cross-validate", "--by", "task", *given])
    assert isinstance(refused.exception, ConfigError)
    assert "did you mean 'sw_ranking'" in str(refused.exception)


def test_near_copies_are_counted_and_left_out(evals: Path, config: Path, tmp_path: Path) -> None:
    """End to end: a copy, a copy in other case, and a prompt of its own, in one file."""
    questions = read_files(TrainingFiles(gold_mmlu=evals, decontaminate=[evals])).evaluation
    prompts = [questions[0], questions[1].upper(), "Something else altogether, on its own?"]
    rows = [
        {"prompt": prompt, "task": "t", "correct": {STRONG_MODEL: 1, WEAK_MODEL: 0}}
        for prompt in prompts
    ]
    extra = tmp_path / "extra.jsonl"
    extra.write_text("".join(json.dumps(row) + "\n" for row in rows))
    trainer = find_trainer("sw_ranking")
    files = TrainingFiles(gold=[extra], gold_mmlu=evals, decontaminate=[evals], config=config)
    settings = trainer.config.model_validate(
        {"strong_model": STRONG_MODEL, "weak_model": WEAK_MODEL, "num_tiers": 2}
    )
    metrics = trainer.train(files, tmp_path / "router", settings)
    assert metrics["sources"]["extra"]["near_evaluation"] == 2
    written = json.loads((tmp_path / "router" / "metrics.json").read_text())
    assert written["sources"]["extra"]["near_evaluation"] == 2
    card = (tmp_path / "router" / "README.md").read_text()
    row = next(line for line in card.splitlines() if line.startswith("| extra |"))
    assert row.endswith("| 2 |")
    assert (
        np.sum([written["sources"]["extra"][f"{p}_prompts"] for p in ("train", "validation")]) == 1
    )
