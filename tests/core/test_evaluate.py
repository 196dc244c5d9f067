"""Benchmarks and `routellm evaluate`: published figures, and errors that name file and row."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from routellm_core import load_router
from routellm_core.cli import app
from routellm_core.cli.evaluate import compare
from routellm_core.errors import ConfigError, DataError
from routellm_core.evaluation.benchmarks import (
    STRONG_MODEL,
    WEAK_MODEL,
    evaluation_prompts,
    load_benchmark,
    mmlu_gold_hashes,
    read_hashes,
)

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
PUBLISHED = DATA / "eval" / "routellm_evals"
GOLD = DATA / "eval" / "mmlu_gold_1500.sha256.json"

published = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published data is not here")

HEADER = f"prompt,{WEAK_MODEL},{STRONG_MODEL}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    responses = tmp_path / "mmlu" / "responses"
    responses.mkdir(parents=True)
    rows = "a long question,False,True\nshort,True,True\nspoilt,True,False\n"
    (responses / "mmlu_law.csv").write_text(HEADER + rows, encoding="utf-8")
    spoilt = json.dumps({"eval_prompt": "spoilt"})
    (tmp_path / "mmlu" / "contaminated_prompts.jsonl").write_text(spoilt + "\n")
    return tmp_path


def test_contaminated_and_excluded_prompts_are_left_out(folder: Path) -> None:
    mmlu = load_benchmark("mmlu", folder)
    assert mmlu.prompts == ["a long question", "short"]
    assert mmlu.groups == ["law", "law"]
    assert (mmlu.strong.tolist(), mmlu.weak.tolist()) == ([1.0, 1.0], [0.0, 1.0])
    short = hashlib.sha256(b"short").hexdigest()
    assert load_benchmark("mmlu", folder, exclude=[short]).prompts == ["a long question"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt,x\na,1\n", f"has no column '{WEAK_MODEL}'"),
        (HEADER + "a,True,True\nb,maybe,True\n", "row 2: .* is 'maybe'; write True"),
        (HEADER + "a,True\n", "row 1"),
        (HEADER + ",True,True\n", "row 1: the prompt is empty"),
        (HEADER + "a,nan,True\n", "row 1"),
        (HEADER + "a,True,True\n", "no gap"),
        (HEADER, "holds no queries"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, text: str, message: str) -> None:
    (folder / "mmlu" / "responses" / "mmlu_law.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_benchmark("mmlu", folder)


def test_missing_and_unreadable_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'mmlu'"):
        load_benchmark("mmul", folder)
    with pytest.raises(DataError, match="gsm8k"):
        load_benchmark("gsm8k", folder)
    (folder / "mmlu" / "responses" / "mmlu_law.csv").write_bytes(HEADER.encode() + b"\xff,1,0\n")
    with pytest.raises(DataError, match=r"mmlu_law\.csv cannot be read"):
        load_benchmark("mmlu", folder)
    hashes = tmp_path / "hashes.json"
    for content in ('{"a": 1}', "[1]", "["):
        hashes.write_text(content)
        with pytest.raises(DataError, match=r"hashes\.json"):
            read_hashes(hashes)


def test_the_command_prints_and_writes(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    arguments = ["evaluate", "--router", "random", "--benchmark", "mmlu", "--draws", "100"]
    result = CliRunner().invoke(app, [*arguments, "--data", str(folder), "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "mmlu, n = 2" in result.output
    results = json.loads(out.read_text())["mmlu"]["results"]
    assert results["oracle"]["apgr"] == results["prompt length"]["apgr"] == 0.75
    assert results["random, expected"]["apgr"] == 0.5


def test_prompts_are_excluded_by_name_or_file(folder: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "--router", "random", "--benchmark", "mmlu", "--data", str(folder)]
    everything = CliRunner().invoke(app, [*arguments, "--exclude", "mmlu-gold"])
    assert "every prompt is excluded" in str(everything.exception)
    hashes = tmp_path / "hashes.json"
    hashes.write_text(json.dumps([hashlib.sha256(b"short").hexdigest()]))
    one = CliRunner().invoke(app, [*arguments, "--exclude", str(hashes), "--draws", "100"])
    assert "mmlu, n = 1" in one.output


def test_a_checkpoint_goes_with_one_router(folder: Path) -> None:
    arguments = ["--router", "mf", "--router", "random", "--benchmark", "mmlu"]
    result = CliRunner().invoke(
        app, ["evaluate", *arguments, "--data", str(folder), "--checkpoint", "mf"]
    )
    assert isinstance(result.exception, ConfigError)


@published
@pytest.mark.parametrize(
    ("name", "n", "length", "oracle"),
    [("mmlu", 14_037, 0.586, 1.285), ("gsm8k", 1_307, 0.598, 1.121)],
)
def test_published_figures_are_reproduced(name: str, n: int, length: float, oracle: float) -> None:
    benchmark = load_benchmark(name, PUBLISHED)
    results = compare(benchmark, {}, draws=100)
    assert len(benchmark.prompts) == n
    assert results["random, expected"].apgr == pytest.approx(0.5, abs=1e-12)
    assert results["prompt length"].apgr == pytest.approx(length, abs=5e-4)
    assert results["oracle"].apgr == pytest.approx(oracle, abs=5e-4)


@published
def test_the_bundled_mf_beats_chance_and_length_on_mmlu() -> None:
    rest = load_benchmark("mmlu", PUBLISHED, exclude=mmlu_gold_hashes(PUBLISHED))
    assert len(rest.prompts) == 12_529
    result = compare(rest, {"mf": load_router("mf")}, draws=200)["mf"]
    assert result.interval[0] > 0.5
    assert result.over["prompt length"].interval[0] > 0


@published
def test_the_gold_prompts_are_those_set_aside() -> None:
    assert mmlu_gold_hashes(PUBLISHED) == read_hashes(GOLD)


@published
def test_every_benchmark_gives_prompts_to_keep_out_of_training() -> None:
    prompts = list(evaluation_prompts(PUBLISHED))
    assert len(prompts) == 14_042 + 1_319 + 80
    assert np.all([bool(prompt) for prompt in prompts])
