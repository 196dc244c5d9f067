"""The files that a router is trained on."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...data.digests import sha256_of
from ...data.labels import Battle, Gold, read_battles, read_gold, read_prompts, source_name
from ...errors import DataError
from ...evaluation.benchmarks.benchmark import (
    MMLU_GOLD,
    STRONG_MODEL,
    WEAK_MODEL,
    evaluation_prompts,
    load_benchmark,
    mmlu_gold_hashes,
)


@dataclass(frozen=True)
class TrainingFiles:
    """What to learn from."""

    battles: Sequence[Path] = ()
    gold: Sequence[Path] = ()
    gold_mmlu: Path | None = None
    """The published evaluation folder, for the MMLU prompts whose labels may be learned."""
    decontaminate: Sequence[Path] = ()
    """Whose prompts are kept out of training: published evaluation folders, or tables with a
    "prompt"."""
    config: Path | None = None
    """Where the configuration was read from."""
    settings: Sequence[str] = ()
    """``KEY=VALUE`` of what was set in place of the configuration's."""
    held_out: Collection[str] | None = None
    """SHA-256 of the prompts that are held out of every source, in place of those that the
    configuration's ``validation_share`` picks; None for those."""
    models_held_out: Collection[str] = ()
    """Models whose outcomes are not learned from, by the one name of each."""

    def command(self, router: str) -> str:
        """Return the command that trains on these files, named without folders."""
        return " \\\n  ".join([f"routellm train {router} --out DIR", *self.options()])

    def options(self) -> list[str]:
        """Return the options that name these files, without folders."""
        options = {
            "config": [self.config] if self.config else [],
            "battles": self.battles,
            "gold": self.gold,
            "gold-mmlu": [self.gold_mmlu] if self.gold_mmlu else [],
            "decontaminate": self.decontaminate,
        }
        return [
            *(f"--{name} {path.name}" for name, paths in options.items() for path in paths),
            *(f"--set {shlex.quote(_without_folder(setting))}" for setting in self.settings),
        ]


@dataclass(frozen=True)
class TrainingRows:
    """The rows of the files, by name of the source."""

    battles: dict[str, list[Battle]]
    gold: dict[str, list[Gold]]
    evaluation: list[str]
    """Prompts that must not be learned from."""


def read_files(files: TrainingFiles) -> TrainingRows:
    """Read everything.

    Raises:
        DataError: a file cannot be used, or there is none; names file, line and remedy.
    """
    _check_names(files)
    battles = {source_name(path): read_battles(path) for path in files.battles}
    gold = {source_name(path): read_gold(path) for path in files.gold}
    learnable: set[str] = set()
    if files.gold_mmlu:
        learnable = set(mmlu_gold_hashes(files.gold_mmlu))
        gold[MMLU_GOLD] = _mmlu_gold(files.gold_mmlu, learnable)
    if not battles and not gold:
        raise DataError("nothing to learn from: give --battles, --gold or --gold-mmlu")
    evaluation = [
        prompt
        for path in files.decontaminate
        for prompt in (evaluation_prompts(path) if path.is_dir() else read_prompts(path))
        if sha256_of(prompt) not in learnable
    ]
    return TrainingRows(battles, gold, evaluation)


def _without_folder(setting: str) -> str:
    key, _, value = setting.partition("=")
    return f"{key}={Path(value).name}" if Path(value).exists() else setting


def _check_names(files: TrainingFiles) -> None:
    named = [(source_name(path), path) for path in (*files.battles, *files.gold)]
    seen = {MMLU_GOLD: files.gold_mmlu} if files.gold_mmlu else {}
    for name, path in named:
        if seen.get(name) == path:
            raise DataError(f"{path} is given twice: leave one out")
        if name in seen:
            raise DataError(
                f"{seen[name]} and {path} are both the source '{name}': rename one of them"
            )
        seen[name] = path


def _mmlu_gold(folder: Path, hashes: set[str]) -> list[Gold]:
    mmlu = load_benchmark("mmlu", folder)
    return [
        Gold(prompt, group, {STRONG_MODEL: float(strong), WEAK_MODEL: float(weak)})
        for prompt, group, strong, weak in zip(
            mmlu.prompts, mmlu.groups, mmlu.strong, mmlu.weak, strict=True
        )
        if sha256_of(prompt) in hashes
    ]
