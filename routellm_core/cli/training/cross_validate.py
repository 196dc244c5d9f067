"""`routellm cross-validate`: which way of training is better, by the training files alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ...data.labels import read_gold
from ...evaluation.reporting.notes import few
from ...evaluation.reporting.results_file import check_results
from ...evaluation.results import FEW
from ..shared.named_routers import learned_lines, named_routers
from ..shared.progress import messages, shown_progress
from .train import BattleFiles, Decontaminate, GoldFiles, GoldMMLU, Settings, pair_faults

if TYPE_CHECKING:
    from ...training.validation.candidates import Candidate


def cross_validate(
    candidates: Annotated[
        list[str],
        typer.Argument(
            help="Routers to train, each by name, or by name and configuration: mf=mine.yaml. The "
            "first is what the others are compared with.",
            metavar="ROUTER[=CONFIG]",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for results.json, cross_validation.md and the folds' scores. Started "
            "again with the same arguments, a run that was interrupted continues from what it "
            "left here.",
            file_okay=False,
        ),
    ],
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    settings: Settings = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="fold|task|source",
            help="What is held out together: a fold of the prompts; a fold of whole tasks (with "
            "--gold-mmlu, MMLU's subjects are judged on all its other questions); or one source "
            "of gold at a time. The last two measure what a router is worth on prompts of another "
            "kind.",
        ),
    ] = "fold",
    folds: Annotated[int, typer.Option(help="Number of folds; not used with --by source.")] = 5,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=FOLDER]",
            help="A trained router to compare on the same prompts: the bundled one of that name, "
            "or a checkpoint of one; may be repeated.",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
) -> None:
    """Train each candidate once per fold of the prompts, and measure it on the held-out prompts.

    For choosing a router, its sources or its settings without using any evaluation set. Scores
    are ranked within each fold; every figure has its bootstrap 95 % interval. By source, candidates
    that learn outcomes are judged on every pair of the source's models, and learn neither.
    """
    from ...training.shared.files import TrainingFiles
    from ...training.shared.out_folder import held
    from ...training.validation.by_source import by_source
    from ...training.validation.candidates import check_candidates
    from ...training.validation.compared import ROWS, Compared, tables
    from ...training.validation.cross_validate import cross_validate as measure
    from ...training.validation.folds import checked_by

    files = TrainingFiles(
        battles or (), gold or (), gold_mmlu, decontaminate or (), settings=settings or ()
    )
    held_out = checked_by(by)
    compared = [_candidate(written, files.settings) for written in candidates]
    named = named_routers(checkpoint or (), option="--checkpoint")
    trained = {name if "=" in name else f"bundled {name}": each for name, each in named.items()}
    check_candidates(compared, trained)
    check_results(out, ROWS)
    routers = {name: each.load() for name, each in trained.items()}
    console = Console()
    with held(out), shown_progress(messages()) as progress:
        for line in pair_faults(compared[0].config):
            progress.message(line)
        for path in files.gold if trained else ():
            prompts = list(dict.fromkeys(row.prompt for row in read_gold(path)))
            for line in learned_lines(trained, prompts, path.name):
                progress.message(line)
        if held_out == "source" and all(each.learns_outcomes for each in compared):
            results = by_source(compared, routers, files, out, draws=draws, progress=progress)
        else:
            found = measure(
                compared,
                files,
                out,
                by=held_out,
                folds=folds,
                checkpoints=routers,
                draws=draws,
                progress=progress,
            )
            results = list(map(Compared.of_pair, found))
    for head, *rows in tables(results):
        shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for column in head:
            shown.add_column(column.replace("=", "=\n"), overflow="fold")
        for source, *figures in rows:
            below = (figure.replace(" ", "\n", 1) for figure in figures)
            shown.add_row(source.replace(", ", "\n"), *below)
        console.print(shown)
    for each in results:
        if each.n < FEW:
            line = f"{each.title}: {few(each.n, 'prompts')}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written to {out}")


def _candidate(written: str, settings: Sequence[str]) -> Candidate:
    from ...training.shared.config import read_config
    from ...training.trainers import find_trainer
    from ...training.validation.candidates import Candidate

    router, _, path = written.partition("=")
    config = read_config(Path(path) if path else None, find_trainer(router).config, settings)
    return Candidate(f"{router}={Path(path).name}" if path else router, router, config)
