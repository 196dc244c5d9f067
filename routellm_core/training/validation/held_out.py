"""Measure how a way of training does on subjects it learned nothing of.

The subjects of MMLU are dealt into folds. For each fold a router is trained with the gold labels
of the other folds' subjects, and scores the questions of its own fold's. All folds together give
the figures, by the same functions as ``routellm evaluate``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...checkpoints.store import write_whole
from ...errors import ConfigError
from ...evaluation.benchmarks.benchmark import (
    Benchmark,
    load_benchmark,
    mmlu_gold_hashes,
    sha256_of,
)
from ...evaluation.compare import compare
from ...evaluation.reporting.results_file import RESULTS, results_json
from ...evaluation.reporting.wording import estimated, percent, signed
from ...evaluation.results import BenchmarkResult
from ...evaluation.scoring import Track
from ..shared.config import TrainingConfig
from ..shared.files import TrainingFiles
from ..shared.prepare import Say
from .folds import ByItsFold, Run, digest_of

BENCHMARK = "mmlu, subjects held out"
"""What the result is called."""

ROWS = "held_out.md"
"""The figures as rows of a table in Markdown."""


def held_out(
    router: str,
    files: TrainingFiles,
    config: TrainingConfig,
    folder: Path,
    *,
    folds: int = 5,
    draws: int = 1000,
    say: Say = lambda message: None,
    track: Track = lambda steps, what: steps,
) -> BenchmarkResult:
    """Train a router for each fold, and judge all of them together on the subjects held out.

    Args:
        router: name of one that can be trained.
        files: what to learn from, ``gold_mmlu`` among them.
        config: how, as the router's trainer takes it.
        folder: for ``RESULTS``, ``ROWS`` and the scores of each fold. A run that was cut off goes
            on from what it left here; checkpoints of folds that are done are not kept.
        folds: how many.
        draws: resamples for the intervals.
        say: told what is going on.
        track: shows progress of long scoring.

    Returns:
        The result on the questions of MMLU that are not gold. Questions that occur in subjects
        of several folds are left out.

    Raises:
        ConfigError: there are fewer than 2 folds, or more than subjects, the router cannot be
            trained, or ``folder`` holds another run.
        DataError: a file cannot be used; the message names file, line and remedy.
    """
    if files.gold_mmlu is None:
        raise ConfigError("nothing to hold out: give RouteLLM's evaluation folder as --gold-mmlu")
    gold = mmlu_gold_hashes(files.gold_mmlu)
    fold_of = _deal(load_benchmark("mmlu", files.gold_mmlu).groups, folds)
    benchmark = _benchmark(files.gold_mmlu, gold, fold_of)
    digest = digest_of(router, config, files, str(folds), benchmark.data_sha256)
    run = Run(router, config, folder, digest)
    scores: dict[str, float] = {}
    for fold in range(folds):
        subjects = sorted(subject for subject, own in fold_of.items() if own == fold)
        prompts = [
            prompt
            for prompt, subject in zip(benchmark.prompts, benchmark.groups, strict=True)
            if fold_of[subject] == fold
        ]

        def told(message: str, fold: int = fold) -> None:
            say(f"Fold {fold + 1} of {folds}: {message}")

        kept = replace(files, held_out_subjects=subjects)
        scores.update(run.scores(f"fold-{fold}", kept, prompts, told, track))
    say("Measuring")
    result = compare(benchmark, {router: ByItsFold(scores)}, draws=draws)
    command = " ".join([f"routellm held-out {router} --folds {folds}", *files.options()])
    write_whole(folder / RESULTS, results_json([result], command=command, exclude=gold))
    write_whole(folder / ROWS, markdown_rows(result).encode())
    return result


def markdown_rows(result: BenchmarkResult) -> str:
    """Return APGR, CPT(50 %) and CPT(80 %) of the router and of the baselines that order."""
    lines = [
        f"| {result.benchmark}, n = {result.n:,} | APGR | CPT(50 %) | CPT(80 %) "
        "| APGR over prompt length, paired |",
        "| --- | --- | --- | --- | --- |",
    ]
    for found in result.results:
        if found.apgr is not None:
            name = f"**{found.name}**" if found.kind == "router" else found.name
            cells = [
                estimated(found.apgr),
                estimated(found.cpt_50, percent),
                estimated(found.cpt_80, percent),
                estimated(found.over.get("prompt length"), signed),
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _deal(groups: Sequence[str], folds: int) -> dict[str, int]:
    """Return the fold of each subject: like cards, in the order of their SHA-256."""
    subjects = sorted(set(groups), key=sha256_of)
    if not 2 <= folds <= len(subjects):
        raise ConfigError(
            f"--folds is {folds}: write a number from 2 to {len(subjects)}, the number of subjects"
        )
    return {subject: number % folds for number, subject in enumerate(subjects)}


def _benchmark(folder: Path, gold: Sequence[str], fold_of: Mapping[str, int]) -> Benchmark:
    """Return the questions that are not gold, but for those in subjects of several folds."""
    everything = load_benchmark("mmlu", folder)
    folds: dict[str, set[int]] = {}
    for digest, subject in zip(everything.prompt_sha256, everything.groups, strict=True):
        folds.setdefault(digest, set()).add(fold_of[subject])
    several = [digest for digest, own in folds.items() if len(own) > 1]
    return replace(load_benchmark("mmlu", folder, exclude=[*gold, *several]), name=BENCHMARK)
