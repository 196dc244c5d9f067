"""`routellm evaluate`: a router beside chance, prompt length and the best possible."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ..checkpoints.store import write_whole
from ..errors import ConfigError
from ..evaluation.benchmarks import (
    MMLU_GOLD,
    Benchmark,
    load_benchmark,
    mmlu_gold_hashes,
    read_hashes,
)
from ..evaluation.intervals import bootstrap_apgr, interval
from ..evaluation.metrics import Floats, apgr
from ..loading import load_router
from ..routers.base import Router

RANDOM = "random, expected"
"""A constant score: queries go to the strong model in random order, and the mean over all orders
is taken."""

LENGTH = "prompt length"

_BATCH = 256


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap 95 % interval."""

    apgr: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Result(Estimate):
    """APGR of a router, and how much higher it is than a baseline's."""

    over: dict[str, Estimate] = field(default_factory=dict)


def evaluate(
    router: Annotated[list[str], typer.Option(help="Name of a router; may be repeated.")],
    benchmark: Annotated[list[str], typer.Option(help="mmlu or gsm8k; may be repeated.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Folder with the published evaluation of RouteLLM (routellm/evals of its "
            "repository).",
            file_okay=False,
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Bundled name, folder or Hugging Face id; with a single --router."),
    ] = None,
    exclude: Annotated[
        str | None,
        typer.Option(
            metavar="mmlu-gold|FILE",
            help="Leave out prompts that were trained on: the 1,500 of MMLU that the bundled "
            "routers learned from, or those in a JSON list of SHA-256.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the results here.", dir_okay=False)
    ] = None,
) -> None:
    """Measure how much of the gap between two models a router recovers (APGR).

    Every figure has its bootstrap 95 % interval; differences are paired.
    """
    if checkpoint and len(router) > 1:
        raise ConfigError("--checkpoint goes with a single --router: run them one by one")
    options = {"checkpoint": checkpoint} if checkpoint else {}
    routers = {name: load_router(name, **options) for name in router}
    hashes = _excluded(exclude, data)
    benchmarks = [load_benchmark(name, data, exclude=hashes) for name in benchmark]
    console = Console()
    report = {}
    for loaded in benchmarks:
        results = compare(loaded, routers, draws=draws)
        console.print(_table(loaded, results))
        report[loaded.name] = {
            "n": len(loaded.prompts),
            "draws": draws,
            "results": {name: asdict(result) for name, result in results.items()},
        }
    if json_file:
        write_whole(json_file, (json.dumps(report, indent=1) + "\n").encode())


def _excluded(exclude: str | None, data: Path) -> list[str]:
    if exclude is None:
        return []
    return mmlu_gold_hashes(data) if exclude == MMLU_GOLD else read_hashes(Path(exclude))


def compare(
    benchmark: Benchmark, routers: dict[str, Router], *, draws: int = 1000
) -> dict[str, Result]:
    """Return the results of routers and baselines, by name.

    Args:
        benchmark: what to measure on.
        routers: by name.
        draws: resamples for the intervals, with seed 0.
    """
    strong, weak = benchmark.strong, benchmark.weak
    scores = {name: _score(name, router, benchmark.prompts) for name, router in routers.items()}
    scores[RANDOM] = np.zeros(len(strong))
    scores[LENGTH] = np.array([float(len(prompt)) for prompt in benchmark.prompts])
    scores["oracle"] = strong - weak
    figures = {name: apgr(values, strong, weak) for name, values in scores.items()}
    resampled = bootstrap_apgr(scores, strong, weak, draws=draws)
    return {
        name: Result(
            figures[name],
            interval(resampled[name]),
            {
                other: Estimate(
                    figures[name] - figures[other], interval(resampled[name] - resampled[other])
                )
                for other in (LENGTH, RANDOM)
                if name in routers
            },
        )
        for name in scores
    }


def _score(name: str, router: Router, prompts: list[str]) -> Floats:
    starts = track(
        range(0, len(prompts), _BATCH),
        f"Scoring with {name}",
        console=Console(stderr=True),
        transient=True,
    )
    return np.concatenate([router.score(prompts[start : start + _BATCH]) for start in starts])


def _table(benchmark: Benchmark, results: dict[str, Result]) -> Table:
    table = Table(title=f"{benchmark.name}, n = {len(benchmark.prompts):,}")
    table.add_column("router", no_wrap=True)
    for heading in ("APGR", f"over {LENGTH}", "over random"):
        table.add_column(heading, justify="right")
    for name, result in results.items():
        over = (_shown(gain, "+.3f") for gain in result.over.values())
        table.add_row(name, _shown(result, ".3f"), *over)
    return table


def _shown(estimate: Estimate, form: str) -> str:
    low, high = estimate.interval
    return f"{estimate.apgr:{form}}\n[{low:{form}}, {high:{form}}]"
