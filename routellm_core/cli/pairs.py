"""`routellm pairs`: how well routers order prompts for all pairs of models in files of outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from .progress import messages, shown_progress


def pairs(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Gold labels of many models: JSON lines, CSV or parquet.",
            dir_okay=False,
        ),
    ],
    router: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=FOLDER]",
            help="Name of a router, or a checkpoint of one; may be repeated. Left out: mf.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=50, help="Resamples for the intervals.")] = 200,
) -> None:
    """Measure routers on every pair of models of which one is clearly better.

    Prints, for each file, the mean APGR over all pairs of models whose mean qualities differ by
    at least .03 and whose weaker one has at least .4, with bootstrap 95 % intervals over prompts,
    beside prompt length. Format failures are left out. Only the order in which a router puts the
    prompts counts, not the pair that it was made for.
    """
    from ..data.label_check import check_gold
    from ..data.labels import read_gold
    from ..data.outcomes import Outcomes
    from ..evaluation.pairs import mean_over_pairs
    from ..registry.loading import load_router

    named = {}
    for written in router or ["mf"]:
        name, _, folder = written.partition("=")
        named[written] = load_router(name, **({"checkpoint": folder} if folder else {}))
    without: list[str] = []
    table = Table("outcomes of", "prompts", "pairs", *named, "prompt length")
    with shown_progress(messages()) as progress:
        for file in files:
            progress.stage(f"Reading {file.name}")
            rows = read_gold(file)
            outcomes = Outcomes.of(file.name, rows).without(check_gold(rows).format_failures)
            scores = {"": np.array([float(len(prompt)) for prompt in outcomes.prompts])}
            for name, each in named.items():
                progress.stage(f"Scoring {file.name} with {name}")
                scores[name] = each.score(outcomes.prompts)
            progress.stage("Measuring")
            found = mean_over_pairs(outcomes.quality, scores, draws)
            cells = [f"{len(outcomes.prompts):,}", str(found.pairs if found else 0)]
            for name in (*named, ""):
                cells.append(_shown(found.mean[name], *found.interval[name]) if found else "-")
            table.add_row(file.name.split(".")[0], *cells)
            if found is None:
                without.append(file.name)
    Console().print(table)
    for name in without:
        typer.secho(
            f"{name}: no two models differ by .03 or more with the weaker one at .4 or more",
            err=True,
        )


def _shown(value: float, low: float, high: float) -> str:
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
