"""`routellm train`: train a router on your own data, or rebuild a bundled one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ..shared.progress import messages, shown_progress

if TYPE_CHECKING:
    from ...training.shared.config import TrainingConfig

BattleFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--battles",
        metavar="FILE",
        help="Preference battles, JSON (lines or an array), CSV or parquet; may be repeated.",
        dir_okay=False,
    ),
]
GoldFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--gold",
        metavar="FILE",
        help="Gold labels, JSON (lines or an array), CSV or parquet; may be repeated.",
        dir_okay=False,
    ),
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
        metavar="PATH",
        help="RouteLLM's evaluation folder, or a table with a prompt: copies and near-copies of "
        "these prompts are left out (but for --gold-mmlu's own).",
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A key of the configuration, in place of the file's, such as strong_model=big or "
        "lora_rank=16; may be repeated.",
    ),
]


_FEW = 100
"""With fewer validation prompts, no router should be chosen by them."""


_NOT_MEASURED = (
    "not measured: among the validation prompts are too few gold labels on which the strong model "
    "is better: `routellm cross-validate` uses all that have labels"
)

_NO_PAIR = (
    "not measured: no source has 50 validation prompts with labels of two models that differ by "
    ".03 or more, the weaker one at .4 or more: `routellm cross-validate` uses all that have labels"
)
"""The same where outcomes are learned."""


def train(
    router: Annotated[
        str,
        typer.Argument(
            help="What to train: mf, sw_ranking, bert, causal_llm, or a plugin's router.",
            metavar="ROUTER",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the checkpoint. Started again with the same arguments, a run that "
            "was interrupted continues from what it left here.",
            file_okay=False,
        ),
    ],
    battles: BattleFiles = None,
    gold: GoldFiles = None,
    gold_mmlu: GoldMMLU = None,
    decontaminate: Decontaminate = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Hyper-parameters and sources, YAML.", dir_okay=False),
    ] = None,
    settings: Settings = None,
) -> None:
    """Train a router. Writes the checkpoint, metrics.json and a model card."""
    from ...training.shared.config import read_config
    from ...training.shared.files import TrainingFiles
    from ...training.shared.out_folder import held_for_checkpoint
    from ...training.trainers import find_trainer

    trainer = find_trainer(router)
    configuration = read_config(config, trainer.config, settings or ())
    files = TrainingFiles(
        battles or (), gold or (), gold_mmlu, decontaminate or (), config, settings or ()
    )
    console = messages()
    with held_for_checkpoint(out), shown_progress(console) as progress:
        for line in [*_without_effect(configuration), *pair_faults(configuration)]:
            progress.message(line)
        metrics = trainer.train(files, out, configuration, progress=progress)
    unmeasured = _NO_PAIR if getattr(configuration, "learn", "") == "outcomes" else _NOT_MEASURED
    _print_results(console, metrics, out, unmeasured)


def _without_effect(config: TrainingConfig) -> Iterator[str]:
    """Yield a line if keys were set that have no effect on this training."""
    from ...training.shared.config import LearnTrainingConfig

    line = config.without_effect() if isinstance(config, LearnTrainingConfig) else None
    if line:
        yield line


def pair_faults(config: TrainingConfig) -> Iterator[str]:
    """Yield a line if the strong model of a pair that is to be learned is the cheaper one."""
    from ...evaluation.pair_faults import cheaper_by_table

    if getattr(config, "learn", "pair") == "pair":
        line = cheaper_by_table(config.strong_model, config.weak_model)
        if line:
            yield line


def _print_results(
    console: Console, metrics: Mapping[str, Any], out: Path, unmeasured: str
) -> None:
    few, validation = False, metrics.get("validation", {})
    if not validation:
        console.print(unmeasured, highlight=False, soft_wrap=True)
    for name, result in validation.items():
        low, high = result["interval"]
        console.print(
            f"{name}: APGR {result['apgr']:.3f} [{low:.3f}, {high:.3f}] on {result['n']} "
            f"validation prompts; prompt length {result['apgr_of_length']:.3f}"
        )
        few |= result["n"] < _FEW
    if few:
        console.print(
            f"fewer than {_FEW} validation prompts are too few to judge by: `routellm "
            "cross-validate` uses all that have labels",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"Written to {out}")
