"""`routellm cross-validate`: candidates meet on prompts that they did not learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from routellm_core.cli import app
from routellm_core.errors import ConfigError, DataError
from routellm_core.evaluation.intervals import Estimate
from routellm_core.evaluation.reporting.wording import estimated, signed
from routellm_core.progress import SILENT
from routellm_core.training.shared.config import TrainingConfig
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.shared.prepare import split
from routellm_core.training.validation.candidates import Candidate
from routellm_core.training.validation.cross_validate import cross_validate
from tests.fakes.training_files import GOLD, training_files
from tests.fakes.watched_training import MeanPlugin, watched_training

SETTINGS = """
strong_model: big
weak_model: small
num_tiers: 3
validation_share: 0.2
"""
FOLDS = 3
IN_EVALUATION = 10
"""Prompts of gold that stand in the evaluation file; some others are near copies of those."""


@pytest.fixture
def files(tmp_path: Path) -> TrainingFiles:
    return training_files(tmp_path, SETTINGS)


def _run(files: TrainingFiles, out: Path, *arguments: str) -> Result:
    given = [
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
        *("--decontaminate", str(files.decontaminate[0]), "--out", str(out)),
        *("--folds", str(FOLDS), "--draws", "100"),
    ]
    return CliRunner(env={"COLUMNS": "140"}).invoke(app, ["cross-validate", *given, *arguments])


def _worse(files: TrainingFiles) -> str:
    """Return a candidate that compares prompts along one direction, whichever it is."""
    path = files.gold[0].with_name("worse.yaml")
    path.write_text(f"{SETTINGS}directions: 1\nadvantage: 0\n")
    return f"sw_ranking={path}"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A comparison of two candidates: its folder, and what was printed."""
    folder = tmp_path_factory.mktemp("compared")
    files = training_files(folder, SETTINGS)
    done = _run(files, folder / "out", f"sw_ranking={files.config}", _worse(files))
    assert done.exit_code == 0, done.output
    return folder / "out", done.output


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainingFiles]:
    return watched_training(monkeypatch)


def test_candidates_are_told_apart_on_every_source_of_gold(compared: tuple[Path, str]) -> None:
    out, printed = compared
    # Votes are no source to judge on: they are of many pairs.
    (found,) = json.loads((out / "results.json").read_text())["benchmarks"]
    assert found["benchmark"] == "gold"
    assert GOLD / 2 < found["n"] <= GOLD - IN_EVALUATION
    good, worse, *_ = found["results"]
    assert (good["name"], worse["name"]) == ("sw_ranking=config.yaml", "sw_ranking=worse.yaml")
    # Half of the prompts need the strong model, so that no order has more than .75.
    assert good["apgr"]["value"] > 0.7
    difference = worse["over"]["sw_ranking=config.yaml"]
    assert difference["high"] < 0
    assert f"{difference['value']:.3f}".replace("0.", ".") in printed
    assert "worse.yaml" in printed


def test_few_prompts_are_told(compared: tuple[Path, str]) -> None:
    out, printed = compared
    (found,) = json.loads((out / "results.json").read_text())["benchmarks"]
    said = f"gold: Only {found['n']} prompts: with fewer than 500, intervals are wide and rough."
    assert said in printed


def test_the_tables_are_those_of_the_results(compared: tuple[Path, str]) -> None:
    out, _ = compared
    (found,) = json.loads((out / "results.json").read_text())["benchmarks"]
    figures, over_length, differences = (out / "cross_validation.md").read_text().split("\n\n")
    assert figures.splitlines()[0] == (
        "| APGR | sw_ranking=config.yaml | sw_ranking=worse.yaml | prompt length |"
    )
    for number, each in enumerate(found["results"][:2]):
        cells = figures.splitlines()[2].strip("| ").split(" | ")
        assert cells[1 + number] == estimated(Estimate(**each["apgr"]))
        over = Estimate(**each["over"]["prompt length"])
        cells = over_length.splitlines()[2].strip("| ").split(" | ")
        assert cells[1 + number] == estimated(over, signed)
    assert differences.splitlines()[0] == "| over sw_ranking=config.yaml | sw_ranking=worse.yaml |"


def test_each_prompt_is_kept_out_of_one_fold(
    files: TrainingFiles, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    assert _run(files, tmp_path / "out", f"sw_ranking={files.config}").exit_code == 0
    config = TrainingConfig(strong_model="big", weak_model="small")
    parts = [split(each, config, SILENT) for each in trained]
    assert len(parts) == FOLDS
    assert (sum(part.validation.astype(int) for part in parts) == ~parts[0].copies).all()
    for number, part in enumerate(parts):
        assert not (part.train & part.validation).any()
        scored = json.loads(
            (tmp_path / "out" / "sw_ranking=config.yaml" / f"fold-{number}.json").read_text()
        )["scores"]
        gold = part.comparisons.source == part.comparisons.sources.index("gold")
        assert len(scored) == (part.validation & gold).sum() > 0


def test_each_source_is_kept_out_of_one_fold(
    files: TrainingFiles, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    """Also where another source has some of its prompts."""
    rows = files.gold[0].read_text().splitlines()
    other = tmp_path / "other.jsonl"
    others = [row.replace("What is", "Please, what is") for row in rows[20:]]
    other.write_text("\n".join([*others, *rows[-20:]]) + "\n")
    done = _run(
        files,
        tmp_path / "out",
        f"sw_ranking={files.config}",
        *("--by", "source", "--gold", str(other)),
    )
    assert done.exit_code == 0, done.output
    names = ["gold", "other"]
    assert len(trained) == len(names)
    config = TrainingConfig(strong_model="big", weak_model="small")
    for each, name in zip(trained, names, strict=True):
        part = split(each, config, SILENT)
        own = part.comparisons.source == part.comparisons.sources.index(name)
        prompts = {part.comparisons.prompts[i] for i in np.flatnonzero(own)}
        learned = {part.comparisons.prompts[i] for i in np.flatnonzero(part.train)}
        assert learned
        assert not prompts & learned
    results = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    assert [found["benchmark"] for found in results] == names
    # What sums need is learned from the one and holds in the other.
    assert all(found["results"][0]["apgr"]["value"] > 0.65 for found in results)


def test_a_fold_that_is_done_is_not_trained_again(
    files: TrainingFiles, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    out = tmp_path / "out"
    candidate = f"sw_ranking={files.config}"
    assert _run(files, out, candidate).exit_code == 0
    before = (out / "results.json").read_bytes()
    (out / "sw_ranking=config.yaml" / "fold-1.json").unlink()
    trained.clear()
    assert _run(files, out, candidate).exit_code == 0
    assert len(trained) == 1
    assert (out / "results.json").read_bytes() == before


def test_another_candidate_trains_nothing_anew(
    files: TrainingFiles, tmp_path: Path, trained: list[TrainingFiles]
) -> None:
    out = tmp_path / "out"
    assert _run(files, out, f"sw_ranking={files.config}").exit_code == 0
    trained.clear()
    assert _run(files, out, f"sw_ranking={files.config}", _worse(files)).exit_code == 0
    assert len(trained) == FOLDS


def test_changed_settings_are_another_run(files: TrainingFiles, tmp_path: Path) -> None:
    assert files.config is not None
    assert _run(files, tmp_path / "out", f"sw_ranking={files.config}").exit_code == 0
    files.config.write_text(f"{SETTINGS}gamma: 20\n")
    refused = _run(files, tmp_path / "out", f"sw_ranking={files.config}")
    assert isinstance(refused.exception, ConfigError)
    assert "belongs to another run" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda files: ["sw_rankin"], "did you mean 'sw_ranking'"),
        (lambda files: [f"sw_ranking={files.config}", "mf"], "differ in 'strong_model'"),
        (lambda files: [f"sw_ranking={files.config}"] * 2, "is given twice"),
        (lambda files: [f"sw_ranking={files.config}", "--folds", "1"], "write 2 or more"),
        (lambda files: [f"sw_ranking={files.config}", "--by", "tasks"], "did you mean 'task'"),
        (lambda files: [f"sw_ranking={files.config}", "--by", "task"], "two tasks or more"),
    ],
)
def test_what_cannot_be_compared_is_an_error(
    files: TrainingFiles,
    tmp_path: Path,
    arguments: Callable[[TrainingFiles], list[str]],
    message: str,
) -> None:
    refused = _run(files, tmp_path / "out", *arguments(files))
    assert isinstance(refused.exception, ConfigError)
    assert message in str(refused.exception)


def test_the_only_source_cannot_be_held_out(files: TrainingFiles, tmp_path: Path) -> None:
    given = ["--gold", str(files.gold[0]), "--out", str(tmp_path / "out"), "--by", "source"]
    refused = CliRunner().invoke(app, ["cross-validate", f"sw_ranking={files.config}", *given])
    assert isinstance(refused.exception, DataError)
    assert "no prompt is left to train on" in str(refused.exception)


def test_gold_on_which_the_strong_model_is_no_better_is_no_source_to_judge_on(
    files: TrainingFiles, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in files.gold[0].read_text().splitlines()]
    for row in rows:
        row["correct"]["big"] = 0
    files.gold[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused = CliRunner().invoke(
        app,
        [
            *("cross-validate", f"sw_ranking={files.config}", "--gold", str(files.gold[0])),
            *("--out", str(tmp_path / "out")),
        ],
    )
    assert isinstance(refused.exception, DataError)
    assert "nothing to judge on" in str(refused.exception)


@pytest.mark.parametrize("by", ["fold", "task"])
def test_a_router_that_reads_nothing_is_worth_what_chance_is(
    files: TrainingFiles, tmp_path: Path, plugin: Callable[[object], object], by: str
) -> None:
    """The level of a fold's router is the mean of the others', so levels alone would say that
    the folds in which the strong model is needed most need it least.
    """
    plugin(MeanPlugin())
    rows = [json.loads(line) for line in files.gold[0].read_text().splitlines()]
    for number, row in enumerate(rows):
        row["task"] = f"task {number % 7}"
        row["correct"]["small"] = float(number % 7 < 3)
    files.gold[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = tmp_path / "mean.yaml"
    config.write_text("strong_model: big\nweak_model: small\n")
    done = _run(files, tmp_path / "out", f"mean={config}", "--by", by)
    assert done.exit_code == 0, done.output
    (found,) = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    mean, *_ = found["results"]
    assert mean["apgr"]["value"] == pytest.approx(0.5)
    assert mean["apgr"]["low"] == pytest.approx(0.5)
    scores = [
        set(json.loads(path.read_text())["scores"].values())
        for path in sorted((tmp_path / "out" / "mean=mean.yaml").glob("fold-*.json"))
    ]
    assert all(len(each) == 1 for each in scores)
    assert len(set.union(*scores)) == FOLDS


def test_a_prompt_of_two_sources_is_scored_in_each_by_the_router_without_that_source(
    files: TrainingFiles, tmp_path: Path, plugin: Callable[[object], object]
) -> None:
    plugin(MeanPlugin())
    rows = files.gold[0].read_text().splitlines()
    other = tmp_path / "other.jsonl"
    sums = [row.replace("What is", "Please, what is") for row in rows if "What is" in row]
    other.write_text("\n".join([*sums, *rows[-20:]]) + "\n")
    config = TrainingConfig(strong_model="big", weak_model="small")
    given = TrainingFiles(gold=[files.gold[0], other])
    results = cross_validate(
        [Candidate("mean", "mean", config)], given, tmp_path / "out", by="source", draws=100
    )
    levels = [set(result.named("mean").scores.tolist()) for result in results]
    assert [len(level) for level in levels] == [1, 1]
    assert levels[0] != levels[1]


def test_routers_that_are_trained_already_meet_the_candidates_on_the_same_prompts(
    files: TrainingFiles, tmp_path: Path, plugin: Callable[[object], object]
) -> None:
    checkpoint = tmp_path / "mine"
    given = [word for path in files.gold for word in ("--gold", str(path))]
    trained = CliRunner().invoke(
        app,
        ["train", "sw_ranking", *given, "--config", str(files.config), "--out", str(checkpoint)],
    )
    assert trained.exit_code == 0, trained.output
    done = _run(
        files,
        tmp_path / "out",
        f"sw_ranking={files.config}",
        *("--checkpoint", f"sw_ranking={checkpoint}", "--checkpoint", "mf"),
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    names = ["sw_ranking=config.yaml", "sw_ranking=mine", "bundled mf"]
    routers = [each for each in found["results"] if each["kind"] == "router"]
    assert [each["name"] for each in routers] == names
    for each in routers:
        assert set(each["over"]) >= {*names, "prompt length"} - {each["name"]}
    # It learned these very prompts.
    assert "sw_ranking=mine learned" in done.stderr
    assert "of the 200 prompts of gold.jsonl, so its figures there are too good" in done.stderr
    assert "bundled mf learned" not in done.stderr


def test_a_checkpoint_has_a_name_of_its_own(files: TrainingFiles, tmp_path: Path) -> None:
    twice = f"sw_ranking={tmp_path / 'config.yaml'}"
    refused = _run(files, tmp_path / "out", f"sw_ranking={files.config}", "--checkpoint", twice)
    assert isinstance(refused.exception, ConfigError)
    assert "'sw_ranking=config.yaml' is given twice" in str(refused.exception)
