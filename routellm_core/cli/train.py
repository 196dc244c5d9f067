"""`routellm train`: train a router on your own data, or rebuild a bundled one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

train_app = typer.Typer(name="train", help="Train a router.", no_args_is_help=True)

Out = Annotated[
    Path,
    typer.Option(
        help="Folder of the checkpoint. Started again with the same arguments, a run that "
        "was cut off goes on from what it left here.",
        file_okay=False,
        writable=True,
    ),
]
BattleFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--battles", help="Preference battles, JSON lines; may be repeated.", dir_okay=False
    ),
]
GoldFiles = Annotated[
    list[Path] | None,
    typer.Option("--gold", help="Gold labels, JSON lines; may be repeated.", dir_okay=False),
]
GoldMMLU = Annotated[
    Path | None,
    typer.Option(
        help="RouteLLM's evaluation folder: learn the labels of the 1,500 MMLU prompts set "
        "aside for it.",
        file_okay=False,
    ),
]
Decontaminate = Annotated[
    list[Path] | None,
    typer.Option(
        help="RouteLLM's evaluation folder, or JSON lines with a prompt: copies and "
        "near-copies of these prompts are left out (but for --gold-mmlu's own).",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Hyper-parameters and sources, YAML.", dir_okay=False),
]


@train_app.callback()
def _train() -> None:
    """Train a router."""


@train_app.command()
def mf(
    out: Out,
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    config: ConfigFile = None,
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
    _print_results(console, metrics, out)


@train_app.command(name="sw_ranking")
def sw_ranking(
    out: Out,
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    config: ConfigFile = None,
) -> None:
    """Make a similarity-weighted ranking. Writes battles, metrics.json and a model card."""
    from ..training.config import read_config
    from ..training.files import TrainingFiles
    from ..training.sw_ranking import train_sw_ranking
    from ..training.sw_ranking_config import SWRankingConfig

    settings = read_config(config, SWRankingConfig) if config else SWRankingConfig()
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or (), config)
    console = Console(stderr=True)
    with console.status("Starting") as status:
        metrics = train_sw_ranking(files, out, settings, say=status.update)
    _print_results(console, metrics, out)


def _print_results(console: Console, metrics: Mapping[str, Any], out: Path) -> None:
    for name, result in metrics["validation"].items():
        low, high = result["interval"]
        console.print(
            f"{name}: APGR {result['apgr']:.3f} [{low:.3f}, {high:.3f}] on {result['n']} "
            f"validation prompts; prompt length {result['apgr_of_length']:.3f}"
        )
    console.print(f"Written to {out}")
