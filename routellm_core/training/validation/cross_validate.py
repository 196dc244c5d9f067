"""Compare ways of training on the training files alone, so that no evaluation set chooses.

The prompts are put into folds. Each candidate is trained once per fold, without that fold's
prompts, and scores those that have gold labels. Each source of gold is then a benchmark, on which
the candidates are compared by the same functions as in ``routellm evaluate``, their scores ranked
within each fold: the routers of two folds are two routers, whose levels say nothing of prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...checkpoints.store import write_whole
from ...contracts import Router
from ...data.digests import sha256_of
from ...errors import ConfigError, DataError
from ...evaluation.benchmarks.benchmark import Benchmark
from ...evaluation.compare import compare
from ...evaluation.reporting.results_file import RESULTS, results_json
from ...evaluation.reporting.wording import estimated, signed
from ...evaluation.results import LENGTH, BenchmarkResult
from ...progress import SILENT, Progress, Within
from ..shared.config import TrainingConfig
from ..shared.files import TrainingFiles
from ..shared.prepare import split
from .folds import By, make_folds, prompts_of
from .run import KnownScores, Run, run_digest

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
    by: By = "fold",
    folds: int = 5,
    draws: int = 1000,
    progress: Progress = SILENT,
) -> list[BenchmarkResult]:
    """Train every candidate once per fold, and judge all on the prompts that they did not learn.

    Args:
        candidates: what to compare, of distinct names.
        files: what to learn from, and to judge on.
        folder: for ``RESULTS``, ``ROWS`` and the scores of each fold. A run that was interrupted
            continues from what it left here.
        by: what is held out together: a ``fold`` of prompts, a fold of whole ``task``s, or a
            ``source`` of gold. The last two measure what a router is worth on prompts of another
            kind than those it learned. By task, with ``files.gold_mmlu``, all other questions of
            MMLU are judged too, and kept out of training.
        folds: how many; not used by source.
        draws: resamples for the intervals.
        progress: receives each stage.

    Returns:
        The results by source of gold, without those on which the strong model is no better, and
        without the prompts near an evaluation prompt. A result compares each candidate with
        every other, on the same resamples.

    Raises:
        ConfigError: there are fewer than 2 folds or more than tasks, candidates have the same
            name or compare other models, a router cannot be trained, or ``folder`` holds another
            run.
        DataError: a file cannot be used, or no source has gold in which the models differ.
    """
    _check(candidates)
    if by == "task" and files.gold_mmlu and not files.decontaminate:
        files = replace(files, decontaminate=[files.gold_mmlu])
    dealt = make_folds(split(files, candidates[0].config, progress), by, folds, files.gold_mmlu)
    if not dealt.judged:
        raise DataError(
            "nothing to judge on: give --gold or --gold-mmlu, with prompts on which the strong "
            "model is better than the weak one"
        )
    prompts = [prompts_of(number, dealt.judged) for number in range(len(dealt.folds))]
    data = [benchmark.data_sha256 for benchmark in dealt.judged]
    scores: dict[str, list[dict[str, float]]] = {}
    for candidate in candidates:
        digest = run_digest(candidate.router, candidate.config, files, by, str(folds), *data)
        run = Run(candidate.router, candidate.config, files, folder / candidate.name, digest)
        scores[candidate.name] = [
            run.scores(
                fold,
                prompts[number],
                Within(progress, f"{candidate.name}, fold {number + 1} of {len(dealt.folds)}"),
            )
            for number, fold in enumerate(dealt.folds)
        ]
    progress.stage("Measuring")
    results = [
        compare(benchmark, _routers(benchmark, scores), draws=draws) for benchmark in dealt.judged
    ]
    how = f"--by {by}" + (f" --folds {folds}" if by != "source" else "")
    command = " ".join(["routellm cross-validate", *scores, how, *files.options()])
    write_whole(folder / RESULTS, results_json(results, command=command))
    write_whole(folder / ROWS, markdown(results).encode("utf-8", "replace"))
    return results


Rows = list[list[str]]
"""Of a table, the first being its head."""


def tables(results: Sequence[BenchmarkResult]) -> Iterator[Rows]:
    """Yield APGR by source, how far candidates are above prompt length, and above the first one.

    The last table is left out for a single candidate.
    """
    names = [each.name for each in results[0].results if each.kind == "router"]
    columns = [*names, LENGTH]
    apgr = [[estimated(result.named(name).apgr) for name in columns] for result in results]
    yield [["APGR", *columns], *_titled(results, apgr)]
    for other, compared in ((LENGTH, names), (names[0], names[1:])):
        if compared:
            over = [
                [estimated(result.named(name).over.get(other), signed) for name in compared]
                for result in results
            ]
            yield [[f"over {other}", *compared], *_titled(results, over)]


def markdown(results: Sequence[BenchmarkResult]) -> str:
    """Return the same as tables in Markdown."""
    return "\n".join(_markdown(rows) for rows in tables(results))


def _titled(results: Sequence[BenchmarkResult], rows: Rows) -> Rows:
    titles = (f"{result.benchmark}, n = {result.n:,}" for result in results)
    return [[title, *row] for title, row in zip(titles, rows, strict=True)]


def _markdown(rows: Rows) -> str:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *rest]) + "\n"


def _check(candidates: Sequence[Candidate]) -> None:
    names = [candidate.name for candidate in candidates]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"'{name}' is given twice: rename one of the files")
    first = candidates[0]
    for other in candidates[1:]:
        for key in ("strong_model", "weak_model", "models"):
            if getattr(other.config, key) != getattr(first.config, key):
                raise ConfigError(
                    f"'{first.name}' and '{other.name}' differ in '{key}', so they do not predict "
                    "the same: write the same in both"
                )


def _routers(
    benchmark: Benchmark, scores: dict[str, list[dict[str, float]]]
) -> dict[str, Router | Exception]:
    """Return, by candidate, the scores of the benchmark's prompts by the routers of their folds.

    A prompt may stand in two sources, and be scored in two folds: each source takes the score by
    the router that learned nothing of that source's fold.
    """
    assert benchmark.folds is not None
    placed = list(zip(map(sha256_of, benchmark.prompts), np.asarray(benchmark.folds), strict=True))
    return {
        name: KnownScores({digest: by_fold[fold][digest] for digest, fold in placed})
        for name, by_fold in scores.items()
    }
