"""Folds: groups of prompts that are held out of training together, and judged together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from ...data.digests import sha256_of
from ...data.labels import split_position
from ...errors import ConfigError, DataError, did_you_mean
from ...evaluation.benchmarks.benchmark import Benchmark, load_benchmark, mmlu_gold_hashes
from ..shared.comparisons import Ints
from ..shared.prepare import Split

By = Literal["fold", "task", "source"]
"""What is held out together: prompts dealt by their hash, tasks dealt by theirs, or a source."""

MMLU_REST = "mmlu, subjects held out"
"""Name of the benchmark that the MMLU questions beside the gold ones make."""


@dataclass(frozen=True)
class Fold:
    """Prompts that one router is trained without."""

    name: str
    """Of the file with its scores."""
    held_out: frozenset[str]
    """SHA-256 of the prompts that are kept out of every source."""
    models: frozenset[str] = frozenset()
    """Models that are kept out of every source."""


@dataclass(frozen=True)
class Folds:
    """All folds, and what is judged in them."""

    folds: list[Fold]
    judged: list[Benchmark]
    """``Benchmark.folds`` is the number of each query's fold."""


def checked_by(written: str) -> By:
    """Return what is to be held out together.

    Raises:
        ConfigError: it is not one of ``By``.
    """
    for known in get_args(By):
        if written == known:
            return cast(By, known)
    raise ConfigError(f"--by is '{written}': {did_you_mean(written, get_args(By))}")


def make_folds(data: Split, by: By, folds: int, gold_mmlu: Path | None = None) -> Folds:
    """Deal the prompts into folds, and make a benchmark of each source of gold.

    Sources on which the strong model is no better than the weak one are not judged, and neither
    are copies of evaluation prompts.

    Args:
        data: all sources.
        by: what is held out together.
        folds: how many, unless ``by`` is ``source``: then each source that is judged is one.
        gold_mmlu: RouteLLM's evaluation folder, if its gold is among the sources. By task, its
            other questions are judged too, each by the router that learned nothing of its
            subject.

    Raises:
        ConfigError: ``folds`` is less than 2, more than there are tasks, or so many that one is
            empty.
        DataError: the evaluation folder cannot be read, or by source there is one.
    """
    if by == "source":
        return _by_source(data)
    if by == "task":
        return _by_task(data, folds, gold_mmlu)
    if folds < 2:
        raise ConfigError(f"--folds is {folds}: write 2 or more")
    fold = np.array([int(split_position(p) * folds) for p in data.comparisons.prompts], np.int64)
    if not np.bincount(fold, minlength=folds).all():
        raise ConfigError(
            f"--folds is {folds}, which leaves a fold without any of the {len(fold):,} prompts: "
            "write fewer folds, or give more prompts"
        )
    return Folds(
        [_fold(data, number, fold == number) for number in range(folds)],
        list(_benchmarks(data, fold)),
    )


def _by_source(data: Split) -> Folds:
    if len(data.comparisons.sources) < 2:
        raise DataError(
            "--by source: no prompt is left to train on while the only source is held out: "
            "give more files, or hold out by fold"
        )
    judged = list(_benchmarks(data, np.zeros(len(data.comparisons.prompts), np.int64)))
    folds = []
    for number, benchmark in enumerate(judged):
        own = data.comparisons.source == data.comparisons.sources.index(benchmark.name)
        folds.append(replace(_fold(data, number, own), name=benchmark.name))
        judged[number] = replace(benchmark, folds=np.full_like(benchmark.units, number))
    return Folds(folds, judged)


def _by_task(data: Split, folds: int, gold_mmlu: Path | None) -> Folds:
    """A prompt of tasks in several folds is held out of each, and judged in none."""
    mmlu = load_benchmark("mmlu", gold_mmlu) if gold_mmlu else None
    tasks = {task for own in data.comparisons.tasks for task in own}
    tasks.update(mmlu.groups if mmlu else ())
    fold_of = _dealt(tasks, folds)
    own_folds = [{fold_of[task] for task in own} for own in data.comparisons.tasks]
    fold = np.array([own.copy().pop() if len(own) == 1 else -1 for own in own_folds], np.int64)
    judged = list(_benchmarks(data, fold))
    if mmlu and gold_mmlu:
        several: dict[str, set[int]] = {}
        for digest, subject in zip(mmlu.prompt_sha256, mmlu.groups, strict=True):
            several.setdefault(digest, set()).add(fold_of[subject])
        unclear = [digest for digest, own in several.items() if len(own) > 1]
        rest = load_benchmark("mmlu", gold_mmlu, exclude=[*mmlu_gold_hashes(gold_mmlu), *unclear])
        numbers = np.array([fold_of[subject] for subject in rest.groups], np.int64)
        judged.append(replace(rest, name=MMLU_REST, folds=numbers))
    held_out = (np.array([number in own for own in own_folds]) for number in range(folds))
    return Folds([_fold(data, number, own) for number, own in enumerate(held_out)], judged)


def _dealt(tasks: set[str], folds: int) -> dict[str, int]:
    """Return the fold of each task, dealt in the order of their SHA-256."""
    if not 2 <= folds <= len(tasks):
        raise ConfigError(
            f"--folds is {folds}: write a number from 2 to {len(tasks)}, the number of tasks"
            if len(tasks) > 1
            else "--by task needs gold of two tasks or more: give more, or hold out by fold"
        )
    ordered = sorted(tasks, key=sha256_of)
    return {task: number % folds for number, task in enumerate(ordered)}


def _fold(data: Split, number: int, own: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Fold:
    prompts = (data.comparisons.prompts[i] for i in np.flatnonzero(own))
    return Fold(f"fold-{number}", frozenset(map(sha256_of, prompts)))


def _benchmarks(data: Split, fold: Ints) -> Iterator[Benchmark]:
    """Yield the sources of gold on which the strong model is better; fold -1 is not judged."""
    comparisons = data.comparisons
    for number, source in enumerate(comparisons.sources):
        rows = np.flatnonzero(~data.copies & (comparisons.source == number) & (fold >= 0))
        strong, weak = comparisons.strong[rows], comparisons.weak[rows]
        if len(rows) > 1 and (strong - weak).sum() > 0:
            yield Benchmark(
                source,
                [comparisons.prompts[i] for i in rows],
                strong,
                weak,
                groups=[source] * len(rows),
                units=np.arange(len(rows)),
                better=comparisons.better[rows],
                folds=fold[rows],
            )


def prompts_of(fold: int, judged: Sequence[Benchmark]) -> list[str]:
    """Return the distinct prompts that are judged in a fold."""
    return list(
        dict.fromkeys(
            prompt
            for benchmark in judged
            if benchmark.folds is not None
            for prompt, own in zip(benchmark.prompts, benchmark.folds, strict=True)
            if own == fold
        )
    )
