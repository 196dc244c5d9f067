"""`routellm train`: train a router on your own data, or rebuild a bundled one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

train_app = typer.Typer(name="train", help="Train a router.", no_args_is_help=True)


@train_app.callback()
def _train() -> None:
    """Train a router."""


@train_app.command()
def mf(
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the checkpoint. Started again with the same arguments, a run that "
            "was cut off goes on from what it left here.",
            file_okay=False,
            writable=True,
        ),
    ],
    battles: Annotated[
        list[Path] | None,
        typer.Option(help="Preference battles, JSON lines; may be repeated.", dir_okay=False),
    ] = None,
    gold: Annotated[
        list[Path] | None,
        typer.Option(help="Gold labels, JSON lines; may be repeated.", dir_okay=False),
    ] = None,
    gold_mmlu: Annotated[
        Path | None,
        typer.Option(
            help="RouteLLM's evaluation folder: learn the labels of the 1,500 MMLU prompts set "
            "aside for it.",
            file_okay=False,
        ),
    ] = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(
            help="RouteLLM's evaluation folder, or JSON lines with a prompt: copies and "
            "near-copies of these prompts are left out (but for --gold-mmlu's own).",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Hyper-parameters and sources, YAML.", dir_okay=False)
    ] = None,
) -> None:
    """Train the matrix factorization router. Writes weights, metrics.json and a model card."""
    from ..training.config import read_config
    from ..training.files import TrainingFiles
    from ..training.mf import train_mf
    from ..training.mf_config import MFConfig

    settings = read_config(config, MFConfig) if config else MFConfig()
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or (), config)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Starting", total=settings.steps)
        metrics = train_mf(
            files,
            out,
            settings,
            say=lambda message: bar.update(task, description=message),
            progress=lambda step, loss: bar.update(
                task, completed=step, description=f"Training, loss {loss:.4f}"
            ),
        )
    for name, result in metrics["validation"].items():
        low, high = result["interval"]
        console.print(
            f"{name}: APGR {result['apgr']:.3f} [{low:.3f}, {high:.3f}] on {result['n']} "
            f"validation prompts; prompt length {result['apgr_of_length']:.3f}"
        )
    console.print(f"Written to {out}")
