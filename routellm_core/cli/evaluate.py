"""`routellm evaluate`: a router beside chance, prompt length and the best possible."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ..checkpoints.store import write_whole
from ..errors import ConfigError
from ..evaluation.benchmarks import Benchmark, load_benchmark, read_hashes
from ..evaluation.intervals import bootstrap_apgr, interval
from ..evaluation.metrics import Floats, apgr
from ..loading import load_router
from ..routers.base import Router

BASELINES = ("random", "prompt length", "oracle")
"""What every router is shown beside. Random is a constant score: the expectation of chance."""

_BATCH = 256

Result = dict[str, float | list[float]]


def evaluate(
    router: Annotated[list[str], typer.Option(help="Name of a router; may be repeated.")],
    benchmark: Annotated[list[str], typer.Option(help="mmlu or gsm8k; may be repeated.")],
    data: Annotated[
        Path,
        typer.Option(help="Evaluation folder of the RouteLLM repository.", file_okay=False),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Bundled name, folder or Hugging Face id; with a single --router."),
    ] = None,
    exclude: Annotated[
        Path | None,
        typer.Option(help="JSON list with the SHA-256 of MMLU prompts that were trained on."),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the results here.", dir_okay=False)
    ] = None,
) -> None:
    """Measure how much of the gap between the two models a router recovers (APGR)."""
    if checkpoint and len(router) > 1:
        raise ConfigError("--checkpoint goes with a single --router: run them one by one")
    options = {"checkpoint": checkpoint} if checkpoint else {}
    routers = {name: load_router(name, **options) for name in router}
    hashes = read_hashes(exclude) if exclude else []
    benchmarks = [load_benchmark(name, data, exclude=hashes) for name in benchmark]
    console = Console()
    report: dict[str, object] = {}
    for loaded in benchmarks:
        results = compare(loaded, routers, draws=draws)
        report[loaded.name] = {"n": len(loaded.prompts), "results": results}
        console.print(_table(loaded, results))
    if json_file:
        write_whole(json_file, (json.dumps(report, indent=1) + "\n").encode())


def compare(
    benchmark: Benchmark, routers: dict[str, Router], *, draws: int = 1000
) -> dict[str, Result]:
    """Return APGR, its 95 % interval and the paired differences to random and prompt length.

    Args:
        benchmark: what to measure on.
        routers: by name.
        draws: resamples for the intervals, with seed 0.
    """
    strong, weak = benchmark.strong, benchmark.weak
    scores = {name: _score(name, router, benchmark.prompts) for name, router in routers.items()}
    scores["random"] = np.zeros(len(strong))
    scores["prompt length"] = np.array([float(len(prompt)) for prompt in benchmark.prompts])
    scores["oracle"] = strong - weak
    resampled = bootstrap_apgr(scores, strong, weak, draws=draws)
    results: dict[str, Result] = {}
    for name, values in scores.items():
        results[name] = {
            "apgr": apgr(values, strong, weak),
            "interval": list(interval(resampled[name])),
        }
        for other in () if name in BASELINES else ("random", "prompt length"):
            results[name][f"over {other}"] = results[name]["apgr"] - apgr(  # type: ignore[operator]
                scores[other], strong, weak
            )
            results[name][f"over {other}, interval"] = list(
                interval(resampled[name] - resampled[other])
            )
    return results


def _score(name: str, router: Router, prompts: list[str]) -> Floats:
    starts = range(0, len(prompts), _BATCH)
    parts: Iterator[int] = iter(
        track(starts, f"Scoring with {name}", console=Console(stderr=True), transient=True)
    )
    return np.concatenate([router.score(prompts[i : i + _BATCH]) for i in parts])


def _table(benchmark: Benchmark, results: dict[str, Result]) -> Table:
    table = Table(title=f"{benchmark.name}, n = {len(benchmark.prompts):,}")
    table.add_column("router")
    for heading in ("APGR", "95 % interval", "over prompt length", "over random"):
        table.add_column(heading, justify="right")
    for name, result in results.items():
        table.add_row(
            name,
            f"{result['apgr']:.3f}",
            _bounds(result["interval"]),
            *(
                f"{result[over]:+.3f} {_bounds(result[f'{over}, interval'])}"
                for over in ("over prompt length", "over random")
                if over in result
            ),
        )
    return table


def _bounds(bounds: float | list[float]) -> str:
    low, high = bounds  # type: ignore[misc]
    return f"[{low:.3f}, {high:.3f}]"
