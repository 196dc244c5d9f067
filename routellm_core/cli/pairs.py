"""`routellm pairs`: how well routers order prompts for all pairs of models in files of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ..errors import ConfigError
from .shared.named_routers import learned_lines, named_routers
from .shared.progress import messages, shown_progress

if TYPE_CHECKING:
    from ..contracts import Router
    from ..data.outcomes import Outcomes


def pairs(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Gold labels of many models: JSON (lines or an array), CSV or parquet.",
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
    abilities: Annotated[
        bool,
        typer.Option(
            "--abilities",
            help="Estimate the models' abilities on the scale of each router that estimates "
            "difficulty (mf, bert), and the calibration error of the resulting win rates.",
        ),
    ] = False,
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
    from ..evaluation.reporting.wording import estimated, repeated

    named = named_routers(router or ["mf"])
    routers = {name: each.load() for name, each in named.items()}
    if abilities and not any(hasattr(each, "tell") for each in routers.values()):
        raise ConfigError("--abilities needs a router that estimates difficulty: name mf or bert")
    without: list[str] = []
    shown: list[tuple[Table, list[str]]] = []
    table = Table("outcomes of", "prompts", "pairs", *named, "prompt length")
    with shown_progress(messages()) as progress:
        for file in files:
            progress.stage(f"Reading {file.name}")
            rows = read_gold(file)
            outcomes = Outcomes.of(file.name, rows)
            further = sum(len(row.correct) for row in rows) - int(outcomes.measured.sum())
            if further:
                progress.message(repeated(file.name, further))
            outcomes = outcomes.without(check_gold(rows).format_failures)
            scores = {"": np.array([float(len(prompt)) for prompt in outcomes.prompts])}
            for line in learned_lines(named, outcomes.prompts, file.name):
                progress.message(line)
            for name, each in routers.items():
                progress.stage(f"Scoring {file.name} with {name}")
                scores[name] = each.score(outcomes.prompts)
            progress.stage("Measuring")
            found = mean_over_pairs(outcomes.quality, scores, draws)
            cells = [f"{len(outcomes.prompts):,}", str(found.pairs if found else 0)]
            for name in (*named, ""):
                cells.append(estimated(found.estimate(name)) if found else "-")
            table.add_row(file.name.split(".")[0], *cells)
            if found is None:
                without.append(file.name)
            if abilities:
                shown.append(_abilities(file.name, outcomes, routers))
    console = Console()
    console.print(table)
    for of_models, lines in shown:
        console.print(of_models)
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for name in without:
        typer.secho(
            f"{name}: no two models differ by .03 or more with the weaker one at .4 or more",
            err=True,
        )


def _abilities(
    file: str, outcomes: Outcomes, routers: Mapping[str, Router]
) -> tuple[Table, list[str]]:
    """Return the abilities of a file's models, the ablest first, and what the win rates that
    follow from them are worth as probabilities.
    """
    from ..evaluation.abilities import LIMIT, abilities, calibration

    quality, lines = outcomes.quality, []
    found: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for name, router in routers.items():
        tell = getattr(router, "tell", None)
        if tell is None:
            lines.append(f"{name} tells no difficulty, so it has no abilities")
            continue
        items = tell(outcomes.prompts)
        found[name] = abilities(items[:, 0], quality)
        measured = calibration(items, quality, found[name], right_or_wrong=outcomes.right_or_wrong)
        if measured is not None:
            lines.append(
                f"{name}: the win rates by these abilities have an expected calibration error of "
                f"{measured.ece:.3f} on average over pairs (noise alone "
                f"{measured.ece_of_noise:.3f}); of {measured.pairs}, {measured.within:.0%} have "
                f"{LIMIT:g} or less"
            )
    table = Table(f"models of {file}", "prompts", "mean quality", *(f"ability, {n}" for n in found))
    seen = np.isfinite(quality)
    count = seen.sum(axis=0)
    means = np.where(seen, quality, 0.0).sum(axis=0) / np.maximum(count, 1)
    for at in np.argsort(-means, kind="stable"):
        own = (f"{each[at]:.2f}" for each in found.values())
        table.add_row(outcomes.models[at], f"{count[at]:,}", f"{means[at]:.3f}", *own)
    return table, lines
