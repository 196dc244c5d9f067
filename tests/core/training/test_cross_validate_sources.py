"""`routellm cross-validate --by source` of what learns outcomes: sources and models held out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from routellm_core.cli import app
from routellm_core.errors import ConfigError, DataError
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import Trainer, find_trainer
from routellm_core.training.validation import run

ABILITIES = {"a": 3.0, "b": 2.4, "c": 1.8, "d": 1.2, "e": 0.6}
SETTINGS = "learn: outcomes\nl2: 0.01\nmodels: {a: [A-long]}\n"


def _source(path: Path, models: dict[str, str], seed: int) -> Path:
    """Write outcomes of models, by the name that the file has for each, on sums and talk."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(500):
        sums = i % 2 == 0
        words = " ".join(rng.choice(["river", "poem", "cat", "moon"], 5))
        prompt = f"What is {i} + {i * 7} times {seed}? {words}" if sums else f"Tell {i}: {words}"
        right = {
            name: float(rng.random() < 1 / (1 + np.exp((1.2 if sums else -2.5) - ABILITIES[model])))
            for model, name in models.items()
        }
        rows.append({"prompt": prompt, "task": "t", "correct": right})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """The first has all models, the second three of them, one under another name."""
    every = {model: model for model in ABILITIES}
    return [
        _source(tmp_path / "first.jsonl", every, 3),
        _source(tmp_path / "second.jsonl", {"a": "A-long", "c": "c", "e": "e"}, 4),
    ]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[TrainingFiles, dict[str, Any]]]:
    """The files and the metrics of each training."""
    calls: list[tuple[TrainingFiles, dict[str, Any]]] = []
    mf = find_trainer("mf")

    def train(files: TrainingFiles, *arguments: Any, **options: Any) -> dict[str, Any]:
        metrics = mf.train(files, *arguments, **options)
        calls.append((files, metrics))
        return metrics

    monkeypatch.setattr(run, "find_trainer", lambda name: Trainer(mf.config, train))
    return calls


def _run(sources: list[Path], *arguments: str, settings: str = SETTINGS) -> Result:
    folder = sources[0].parent
    config = folder / "outcomes.yaml"
    config.write_text(settings)
    gold = [word for path in sources for word in ("--gold", str(path))]
    given = [f"mf={config}", "--by", "source", "--draws", "100", "--out", str(folder / "out")]
    return CliRunner(env={"COLUMNS": "160"}).invoke(
        app, ["cross-validate", *given, *gold, *arguments]
    )


def test_every_pair_of_models_is_judged_by_a_router_that_learned_neither(
    sources: list[Path], trained: list[tuple[TrainingFiles, dict[str, Any]]]
) -> None:
    done = _run(sources, "--checkpoint", "random")
    assert done.exit_code == 0, done.output
    assert len(trained) == 6
    for number, models in enumerate(("abcde", "ace")):
        held_out = [files.models_held_out for files, _ in trained[3 * number : 3 * number + 3]]
        for pair in itertools.combinations(models, 2):
            assert any(set(pair) <= set(held) for held in held_out)
    for files, metrics in trained:
        assert files.models_held_out
        assert not set(files.models_held_out) & set(metrics["abilities"])
        assert "A-long" not in metrics["abilities"]
        # Nor any prompt of the source that is judged.
        assert 0 in [each["train_prompts"] for each in metrics["sources"].values()]
    out = sources[0].parent / "out"
    found = json.loads((out / "results.json").read_text())["benchmarks"]
    assert [each["benchmark"] for each in found] == ["first", "second", "mean over sources"]
    assert [each["pairs"] for each in found[:2]] == [9, 3]
    for each in found:
        mf, random, length = each["results"]
        assert (mf["name"], random["name"]) == ("mf=outcomes.yaml", "bundled random")
        assert length["name"] == "prompt length"
        # Sums, which models differ on, are found by what the other source and models tell.
        assert mf["apgr"]["low"] > 0.55
        assert 0.4 < random["apgr"]["value"] < 0.6
        assert random["over"]["mf=outcomes.yaml"]["high"] < 0
    assert "pairs = 9" in (out / "cross_validation.md").read_text()
    assert "mean over sources" in done.output


def test_a_run_that_is_done_is_not_trained_again(
    sources: list[Path], trained: list[tuple[TrainingFiles, dict[str, Any]]]
) -> None:
    assert _run(sources).exit_code == 0
    before = (sources[0].parent / "out" / "results.json").read_bytes()
    trained.clear()
    assert _run(sources).exit_code == 0
    assert not trained
    assert (sources[0].parent / "out" / "results.json").read_bytes() == before


def test_models_stay_where_no_others_are_left_to_learn_from(
    tmp_path: Path, trained: list[tuple[TrainingFiles, dict[str, Any]]]
) -> None:
    two = {"a": "a", "c": "c"}
    files = [_source(tmp_path / f"{name}.jsonl", two, at) for at, name in enumerate(("x", "y"))]
    done = _run(files)
    assert done.exit_code == 0, done.output
    assert [list(each.models_held_out) for each, _ in trained] == [[], []]
    assert (
        "x: its models are not held out, as the other sources have no other models" in done.stderr
    )


def test_format_failures_are_neither_learned_nor_judged_and_their_effect_is_told(
    sources: list[Path], trained: list[tuple[TrainingFiles, dict[str, Any]]]
) -> None:
    rows = [json.loads(line) for line in sources[0].read_text().splitlines()]
    for number in range(120):
        correct = {model: float(number % 4 != at) for at, model in enumerate("bcde")}
        options = "\nA. one\nB. two\nC. three\nD. four\nAnswer:"
        row = {"prompt": f"Pick {number}{options}", "task": "p", "correct": {"a": 0, **correct}}
        rows.append(row)
    sources[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    # Also where the router itself is to learn them.
    done = _run(sources, settings=f"{SETTINGS}keep_format_failures: true\n")
    assert done.exit_code == 0, done.output
    assert "first: format failures, which are left out, would change APGR: mf=outcomes.yaml" in (
        done.stderr
    )


def test_a_source_without_a_clear_pair_is_named(sources: list[Path]) -> None:
    weak = sources[0].with_name("weak.jsonl")
    row = {"task": "t", "correct": {"a": 0, "b": 0}}
    weak.write_text("".join(json.dumps({"prompt": f"Q{i}", **row}) + "\n" for i in range(60)))
    done = _run([*sources, weak])
    assert done.exit_code == 0, done.output
    assert "weak: not judged, as no two of its models differ by 0.03 or more" in done.stderr


def test_the_only_source_cannot_be_held_out(sources: list[Path]) -> None:
    refused = _run(sources[:1])
    assert isinstance(refused.exception, DataError)
    assert "while the only source is held out" in str(refused.exception)


def test_a_checkpoint_that_does_not_exist_is_an_error_before_training(
    sources: list[Path], trained: list[tuple[TrainingFiles, dict[str, Any]]]
) -> None:
    refused = _run(sources, "--checkpoint", "mff")
    assert isinstance(refused.exception, ConfigError)
    assert "did you mean 'mf'" in str(refused.exception)
    assert not trained
