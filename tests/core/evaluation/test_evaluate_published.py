"""The published definitions of RouteLLM and its evaluation files give the published figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core import load_router
from routellm_core.evaluation.benchmarks.benchmark import (
    evaluation_prompts,
    load_benchmark,
    mmlu_gold_hashes,
    read_hashes,
)
from routellm_core.evaluation.compare import compare
from routellm_core.evaluation.metrics import apgr

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
PUBLISHED = DATA / "eval" / "routellm_evals"
GOLD = DATA / "eval" / "mmlu_gold_1500.sha256.json"

pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published data is not here")


@pytest.mark.parametrize(
    ("name", "n", "length", "oracle"),
    [
        ("mmlu", 14_037, 0.586, 1.285),
        ("gsm8k", 1_307, 0.598, 1.121),
        ("mt-bench", 72, 0.548, 0.964),
    ],
)
def test_the_figures_are_those_published(name: str, n: int, length: float, oracle: float) -> None:
    result = compare(load_benchmark(name, PUBLISHED), {}, draws=100)
    figures = {router.name: router.apgr.value for router in result.results if router.apgr}
    assert result.n == n
    assert figures["constant mix"] == pytest.approx(0.5, abs=1e-12)
    assert figures["prompt length"] == pytest.approx(length, abs=5e-4)
    assert figures["oracle"] == pytest.approx(oracle, abs=5e-4)


def test_random_is_chance_on_mmlu() -> None:
    """The mean of ten seeds, as in RouteLLM's evaluation."""
    mmlu = load_benchmark("mmlu", PUBLISHED)
    figures = [
        apgr(load_router("random", seed=seed).score(mmlu.prompts), mmlu.strong, mmlu.weak)
        for seed in range(10)
    ]
    assert np.mean(figures) == pytest.approx(0.5, abs=0.01)


def test_the_gold_prompts_are_those_set_aside() -> None:
    assert mmlu_gold_hashes(PUBLISHED) == read_hashes(GOLD)


def test_every_benchmark_gives_prompts_to_keep_out_of_training() -> None:
    prompts = list(evaluation_prompts(PUBLISHED))
    assert len(prompts) == 14_042 + 1_319 + 80
    assert all(prompts)


CODE = """
import json, resource, sys
from routellm_core.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss, which a process takes over from the one that starts it.
    with open("/proc/self/status") as status:
        peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps([used.ru_utime + used.ru_stime, peak_kb / 1024]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def mmlu_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, float, dict[str, Any]]:
    """Evaluate mf on MMLU; return the seconds of CPU, the megabytes and what was found."""
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is told elsewhere")
    out = tmp_path_factory.mktemp("mmlu")
    what = ["--router", "mf", "--benchmark", "mmlu", "--data", str(PUBLISHED), "--no-cache"]
    done = subprocess.run(
        [sys.executable, "-c", CODE, "evaluate", *what, "--exclude", "mmlu_gold", "--out", out],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = json.loads(done.stderr.splitlines()[-1])
    (found,) = json.loads((out / "results.json").read_text())["benchmarks"]
    return seconds, megabytes, found


def test_mmlu_end_to_end_takes_seconds_and_little_memory(
    mmlu_run: tuple[float, float, dict[str, Any]],
) -> None:
    seconds, megabytes, _ = mmlu_run
    assert seconds < 20
    assert megabytes < 500
    print(f"{seconds:.1f} s of CPU, {megabytes:.0f} MB")  # noqa: T201  # shown by -s


def test_the_bundled_mf_beats_chance_on_mmlu_of_which_it_learned_nothing(
    mmlu_run: tuple[float, float, dict[str, Any]],
) -> None:
    _, _, found = mmlu_run
    assert (found["n"], found["excluded"]) == (12_529, 1_508)
    mf = found["results"][0]
    assert mf["name"] == "mf"
    assert mf["over"]["constant mix"]["low"] > 0
