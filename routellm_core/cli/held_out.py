"""`routellm held-out`: how a way of training does on subjects it learned nothing of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..evaluation.reporting.notes import notes
from ..evaluation.reporting.terminal import tables
from .train import BattleFiles, ConfigFile, GoldFiles


def held_out(
    router: Annotated[str, typer.Argument(help="Name of a router that can be trained.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for results.json, held_out.md and the folds' scores. Started again with "
            "the same arguments, a run that was cut off goes on from what it left here.",
            file_okay=False,
            writable=True,
        ),
    ],
    gold_mmlu: Annotated[
        Path,
        typer.Option(
            help="RouteLLM's evaluation folder: its 1,500 MMLU prompts set aside are learned, "
            "the rest is what is judged on.",
            file_okay=False,
        ),
    ],
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(
            help="As in `routellm train`; the folder of --gold-mmlu if left out.",
        ),
    ] = None,
    config: ConfigFile = None,
    folds: Annotated[int, typer.Option(help="Into how many folds subjects are dealt.")] = 5,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
) -> None:
    """Train once per fold of MMLU's subjects without that fold's, and judge on it.

    What a router is worth on a new subject. Every figure has its bootstrap 95 % interval.
    """
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles
    from ..training.trainers import find_trainer
    from ..training.validation.held_out import held_out as measure

    kind = find_trainer(router).config
    files = TrainingFiles(
        battles or (),
        gold or (),
        gold_mmlu,
        decontaminate=decontaminate or [gold_mmlu],
        config=config,
    )
    console, messages = Console(), Console(stderr=True)
    with messages.status("Starting") as status:
        result = measure(
            router,
            files,
            read_config(config, kind) if config else kind(),
            out,
            folds=folds,
            draws=draws,
            say=status.update,
        )
    for table in tables(result, console.width):
        console.print(table)
    for note in notes(result):
        console.print(note, highlight=False, markup=False)
    console.print(f"Written to {out}")
