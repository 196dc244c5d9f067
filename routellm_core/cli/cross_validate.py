"""`routellm cross-validate`: which way of training is better, by the training files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from .train import BattleFiles, Decontaminate, GoldFiles, GoldMMLU


def cross_validate(
    candidates: Annotated[
        list[str],
        typer.Argument(
            help="Routers to train, each by name, or by name and configuration: mf=mine.yaml. The "
            "first is what the others are compared with.",
            metavar="ROUTER[=CONFIG]...",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for results.json, cross_validation.md and the folds' scores. Started "
            "again with the same arguments, a run that was cut off goes on from what it left here.",
            file_okay=False,
            writable=True,
        ),
    ],
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    folds: Annotated[int, typer.Option(help="Into how many folds prompts are dealt.")] = 5,
    by_source: Annotated[
        bool,
        typer.Option(
            "--by-source",
            help="Hold out one source of gold at a time instead: what a router is worth on prompts "
            "of another kind than those it learned.",
        ),
    ] = False,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
) -> None:
    """Train each candidate once per fold of the prompts, and judge it on those it did not learn.

    For choosing a router, its sources or its settings without a look at any evaluation set.
    Every figure has its bootstrap 95 % interval.
    """
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles
    from ..training.trainers import find_trainer
    from ..training.validation.cross_validate import Candidate, tables
    from ..training.validation.cross_validate import cross_validate as measure

    compared = []
    for written in candidates:
        router, _, path = written.partition("=")
        kind = find_trainer(router).config
        config = read_config(Path(path), kind) if path else kind()
        name = f"{router}={Path(path).name}" if path else router
        compared.append(Candidate(name, router, config))
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or ())
    console, messages = Console(), Console(stderr=True)
    with messages.status("Starting") as status:
        results = measure(
            compared,
            files,
            out,
            folds=None if by_source else folds,
            draws=draws,
            say=status.update,
        )
    for head, *rows in tables(results):
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in head:
            shown.add_column(column.replace("=", "=\n"), overflow="fold")
        for source, *figures in rows:
            below = (figure.replace(" ", "\n", 1) for figure in figures)
            shown.add_row(source.replace(", ", "\n"), *below)
        console.print(shown)
    console.print(f"Written to {out}")
