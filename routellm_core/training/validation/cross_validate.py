"""Compare ways of training on the training files alone, so that no evaluation set picks one.

The prompts are dealt into folds by their hash, or each source of gold is a fold. Each candidate is
trained once per fold, without that fold's prompts, and scores those that have gold labels. Each
source of gold is then a benchmark, on which the candidates meet by the same functions as in
``routellm evaluate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...checkpoints.store import write_whole
from ...data.labels import split_position
from ...errors import ConfigError, DataError
from ...evaluation.benchmarks.benchmark import Benchmark
from ...evaluation.compare import compare
from ...evaluation.reporting.results_file import RESULTS, results_json
from ...evaluation.reporting.wording import estimated, signed
from ...evaluation.results import LENGTH, BenchmarkResult, RouterResult
from ...evaluation.scoring import Track
from ..shared.config import TrainingConfig
from ..shared.files import TrainingFiles
from ..shared.prepare import Say, fold_of, split
from .folds import ByItsFold, Run, digest_of

ROWS = "cross_validation.md"
"""The figures as tables in Markdown."""


@dataclass(frozen=True)
class Candidate:
    """A way of training."""

    name: str
    """What it is called in the results, and its folder."""
    router: str
    config: TrainingConfig


def cross_validate(
    candidates: Sequence[Candidate],
    files: TrainingFiles,
    folder: Path,
    *,
    folds: int | None = 5,
    draws: int = 1000,
    say: Say = lambda message: None,
    track: Track = lambda steps, what: steps,
) -> list[BenchmarkResult]:
    """Train every candidate once per fold, and judge all on the prompts that they did not learn.

    Args:
        candidates: what to compare, of distinct names.
        files: what to learn from, and to judge on.
        folder: for ``RESULTS``, ``ROWS`` and the scores of each fold. A run that was cut off goes
            on from what it left here.
        folds: how many; None to hold out one source of gold at a time, which tells what a router
            is worth on prompts of another kind than those it learned.
        draws: resamples for the intervals.
        say: told what is going on.
        track: shows progress of long scoring.

    Returns:
        The results by source of gold, without those on which the strong model is no better, and
        without the prompts near an evaluation prompt. A result compares each candidate with
        every other, on the same resamples.

    Raises:
        ConfigError: there are fewer than 2 folds, candidates have the same name or compare other
            models, a router cannot be trained, or ``folder`` holds another run.
        DataError: a file cannot be used, or no source has gold that tells the models apart.
    """
    _check(candidates, folds)
    say("Reading")
    benchmarks = list(_benchmarks(files, candidates[0].config, say))
    if not benchmarks:
        raise DataError(
            "nothing to judge on: give --gold or --gold-mmlu, with prompts on which the strong "
            "model is better than the weak one"
        )
    parts = list(_folds(benchmarks, files, folds))
    found = {}
    for candidate in candidates:
        judged_on = (benchmark.data_sha256 for benchmark in benchmarks)
        digest = digest_of(candidate.router, candidate.config, files, str(folds), *judged_on)
        run = Run(candidate.router, candidate.config, folder / candidate.name, digest)
        scores: dict[str, float] = {}
        for number, part in enumerate(parts):

            def told(message: str, name: str = candidate.name, number: int = number) -> None:
                say(f"{name}, fold {number + 1} of {len(parts)}: {message}")

            scores.update(run.scores(part.name, part.files, part.prompts, told, track))
        found[candidate.name] = ByItsFold(scores)
    say("Measuring")
    results = [compare(benchmark, found, draws=draws) for benchmark in benchmarks]
    how = f"--folds {folds}" if folds else "--by-source"
    command = " ".join(["routellm cross-validate", *found, how, *files.options()])
    write_whole(folder / RESULTS, results_json(results, command=command))
    write_whole(folder / ROWS, markdown(results).encode())
    return results


Rows = list[list[str]]
"""Of a table, the first being its head."""


def tables(results: Sequence[BenchmarkResult]) -> Iterator[Rows]:
    """Yield APGR by source, and then, if there are several candidates, by how much they differ.

    The differences are from the first candidate.
    """
    names = [each.name for each in results[0].results if each.kind == "router"]
    yield [
        ["APGR", *names, LENGTH],
        *(
            [_title(result), *(estimated(_of(result, name).apgr) for name in (*names, LENGTH))]
            for result in results
        ),
    ]
    first, *others = names
    if others:
        yield [
            [f"over {first}", *others],
            *(
                [
                    _title(result),
                    *(estimated(_of(result, name).over.get(first), signed) for name in others),
                ]
                for result in results
            ),
        ]


def markdown(results: Sequence[BenchmarkResult]) -> str:
    """Return the same as tables in Markdown."""
    return "\n".join(_markdown(rows) for rows in tables(results))


def _markdown(rows: Rows) -> str:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *rest]) + "\n"


def _check(candidates: Sequence[Candidate], folds: int | None) -> None:
    if folds is not None and folds < 2:
        raise ConfigError(f"--folds is {folds}: write 2 or more")
    names = [candidate.name for candidate in candidates]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"'{name}' is given twice: rename one of the files")
    first = candidates[0]
    for other in candidates[1:]:
        for key in ("strong_model", "weak_model", "models"):
            if getattr(other.config, key) != getattr(first.config, key):
                raise ConfigError(
                    f"'{first.name}' and '{other.name}' differ in '{key}', so they have not the "
                    "same to predict: write the same in both"
                )


def _benchmarks(files: TrainingFiles, config: TrainingConfig, say: Say) -> Iterator[Benchmark]:
    """Yield each source of gold on which the strong model is better."""
    parts = split(files, config, say)
    comparisons = parts.comparisons
    for number, source in enumerate(comparisons.sources):
        rows = np.flatnonzero(~parts.copies & (comparisons.source == number))
        strong, weak = comparisons.strong[rows], comparisons.weak[rows]
        if len(rows) > 1 and (strong - weak).sum() > 0:
            prompts = [comparisons.prompts[i] for i in rows]
            units = np.arange(len(rows))
            yield Benchmark(source, prompts, strong, weak, [source] * len(rows), units)


@dataclass(frozen=True)
class _Fold:
    name: str
    files: TrainingFiles
    prompts: list[str]


def _folds(
    benchmarks: Sequence[Benchmark], files: TrainingFiles, folds: int | None
) -> Iterator[_Fold]:
    """Yield each fold with the prompts that are scored in it."""
    if folds is None:
        for each in benchmarks:
            yield _Fold(each.name, replace(files, held_out_source=each.name), each.prompts)
        return
    prompts = list(dict.fromkeys(prompt for each in benchmarks for prompt in each.prompts))
    fold = fold_of(np.array([split_position(prompt) for prompt in prompts]), folds)
    for number in range(folds):
        own = [prompts[i] for i in np.flatnonzero(fold == number)]
        yield _Fold(f"fold-{number}", replace(files, fold=(number, folds)), own)


def _title(result: BenchmarkResult) -> str:
    return f"{result.benchmark}, n = {result.n:,}"


def _of(result: BenchmarkResult, name: str) -> RouterResult:
    return next(each for each in result.results if each.name == name)
