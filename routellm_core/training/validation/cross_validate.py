"""Compare ways of training on the training files alone, so that no evaluation set chooses.

The prompts are put into folds. Each candidate is trained once per fold, without that fold's
prompts, and scores those that have gold labels. Each source of gold is then a benchmark, on which
the candidates are compared by the same functions as in ``routellm evaluate``, their scores ranked
within each fold: the routers of two folds are two routers, whose levels say nothing of prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...checkpoints.store import write_whole
from ...contracts import Router
from ...data.digests import sha256_of
from ...errors import DataError
from ...evaluation.benchmarks.benchmark import Benchmark
from ...evaluation.compare import compare
from ...evaluation.pair_faults import no_better
from ...evaluation.reporting.results_file import RESULTS, results_json
from ...evaluation.results import BenchmarkResult
from ...evaluation.scoring import cache_folder
from ...progress import SILENT, Progress, Within
from ..shared.comparisons import Comparisons
from ..shared.files import TrainingFiles
from ..shared.prepare import split
from .candidates import Candidate, check_candidates
from .compared import ROWS, Compared, markdown
from .folds import By, make_folds, prompts_of
from .run import KnownScores, Run, run_digest


def cross_validate(
    candidates: Sequence[Candidate],
    files: TrainingFiles,
    folder: Path,
    *,
    by: By = "fold",
    folds: int = 5,
    checkpoints: Mapping[str, Router] | None = None,
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
        checkpoints: routers that are trained already, by name, to be compared on the same prompts.
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
    trained = checkpoints or {}
    check_candidates(candidates, trained)
    if by == "task" and files.gold_mmlu and not files.decontaminate:
        files = replace(files, decontaminate=[files.gold_mmlu])
    data = split(files, candidates[0].config, progress)
    dealt = make_folds(data, by, folds, files.gold_mmlu)
    for line in _not_judged(data.comparisons):
        progress.message(line)
    if not dealt.judged:
        raise DataError(
            "nothing to judge on: give --gold or --gold-mmlu, with prompts on which the strong "
            "model is better than the weak one"
        )
    prompts = [prompts_of(number, dealt.judged) for number in range(len(dealt.folds))]
    digests = [benchmark.data_sha256 for benchmark in dealt.judged]
    scores: dict[str, list[dict[str, float]]] = {}
    for candidate in candidates:
        digest = run_digest(candidate.router, candidate.config, files, by, str(folds), *digests)
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
        compare(
            benchmark,
            {**_routers(benchmark, scores), **trained},
            draws=draws,
            cache=cache_folder(),
            progress=progress,
        )
        for benchmark in dealt.judged
    ]
    how = f"--by {by}" + (f" --folds {folds}" if by != "source" else "")
    command = " ".join(["routellm cross-validate", *scores, *trained, how, *files.options()])
    write_whole(folder / RESULTS, results_json(results, command=command))
    write_whole(
        folder / ROWS, markdown(list(map(Compared.of_pair, results))).encode("utf-8", "replace")
    )
    return results


def _not_judged(comparisons: Comparisons) -> Iterator[str]:
    """Yield a line for each source of gold on which the strong model is no better."""
    for number, source in enumerate(comparisons.sources):
        rows = (comparisons.source == number) & np.isfinite(comparisons.strong)
        if rows.any():
            strong, weak = comparisons.strong[rows].mean(), comparisons.weak[rows].mean()
            line = no_better(float(strong), float(weak), source)
            if line:
                yield f"{source} is left out: {line}"


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
