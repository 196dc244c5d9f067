"""`routellm train`: train a router on your own data, or rebuild a bundled one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

train_app = typer.Typer(name="train", help="Train a router.", no_args_is_help=True)

_RANK = 16

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
Base = Annotated[
    str | None,
    typer.Option(
        help="Model to start from: a folder, or a Hugging Face id. May stand in the configuration."
    ),
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
    from ..training.mf.config import MFConfig
    from ..training.mf.train import train_mf
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles

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
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles
    from ..training.sw_ranking.config import SWRankingConfig
    from ..training.sw_ranking.train import train_sw_ranking

    settings = read_config(config, SWRankingConfig) if config else SWRankingConfig()
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or (), config)
    console = Console(stderr=True)
    with console.status("Starting") as status:
        metrics = train_sw_ranking(files, out, settings, say=status.update)
    _print_results(console, metrics, out)


@train_app.command()
def bert(
    out: Out,
    base: Base = None,
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    config: ConfigFile = None,
) -> None:
    """Fine-tune an encoder such as BERT. Writes the model, metrics.json and a model card."""
    from ..training.bert.config import BERTConfig
    from ..training.bert.train import train_bert
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles

    settings = read_config(config, BERTConfig) if config else BERTConfig()
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or (), config)
    with _steps() as (console, say, progress):
        metrics = train_bert(files, out, settings, say=say, progress=progress)
    _print_results(console, metrics, out)


@train_app.command(name="causal_llm")
def causal_llm(
    out: Out,
    base: Base = None,
    lora: Annotated[
        bool,
        typer.Option(
            "--lora", help=f"Learn adapters (of rank {_RANK} if no lora_rank is configured)."
        ),
    ] = False,
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    config: ConfigFile = None,
) -> None:
    """Tune a causal LLM, or make a small one. Writes the model, metrics.json and a model card."""
    from ..training.causal_llm.config import CausalLLMConfig
    from ..training.causal_llm.train import train_causal_llm
    from ..training.shared.config import read_config
    from ..training.shared.files import TrainingFiles

    settings = read_config(config, CausalLLMConfig) if config else CausalLLMConfig()
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    if lora and settings.lora_rank is None:
        settings = settings.model_copy(update={"lora_rank": _RANK})
    files = TrainingFiles(battles or (), gold or (), gold_mmlu, decontaminate or (), config)
    with _steps() as (console, say, progress):
        metrics = train_causal_llm(files, out, settings, say=say, progress=progress)
    _print_results(console, metrics, out)


@contextmanager
def _steps() -> Iterator[tuple[Console, Callable[[str], None], Callable[[int, int, float], None]]]:
    """Show what is going on, and the steps of a fine-tuning with their loss and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Of several processes, which accelerate numbers, only the first one shows anything.
    console = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")
    doing = "Starting"
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(doing, total=None)

        def say(message: str) -> None:
            nonlocal doing
            doing = message
            bar.reset(task, total=None, description=message)

        def progress(step: int, steps: int, loss: float) -> None:
            description = f"{doing}, loss {loss:.4f}"
            bar.update(task, completed=step, total=steps, description=description)

        yield console, say, progress


def _print_results(console: Console, metrics: Mapping[str, Any], out: Path) -> None:
    for name, result in metrics.get("validation", {}).items():
        low, high = result["interval"]
        console.print(
            f"{name}: APGR {result['apgr']:.3f} [{low:.3f}, {high:.3f}] on {result['n']} "
            f"validation prompts; prompt length {result['apgr_of_length']:.3f}"
        )
    console.print(f"Written to {out}")
