"""Compare ways of learning outcomes on sources and models that they know nothing of.

The models of a source are dealt into three groups. For each two of the groups a candidate is
trained without the source's prompts and without what the models of those groups did anywhere, so
that three trainings judge every pair of the source's models by a router that knows neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import write_whole
from ...contracts import Router
from ...data.digests import sha256_of
from ...data.labels import Gold
from ...data.outcomes import Outcomes
from ...errors import DataError
from ...evaluation.pairs import LEAST_GAP, LEAST_QUALITY, OverPairs, clear_pairs, mean_over_pairs
from ...evaluation.reporting.results_file import RESULTS, versions
from ...evaluation.results import LENGTH
from ...evaluation.scoring import cache_folder, score_prompts
from ...progress import Progress, Within
from ...registry.loading import load_encoder
from ..shared.config import TrainingConfig
from ..shared.decontaminate import contaminated
from ..shared.files import TrainingFiles, read_files
from ..shared.label_faults import usable_gold
from .candidates import Candidate, check_candidates
from .compared import ROWS, Compared, markdown
from .folds import Fold
from .run import Run, run_digest

GROUPS = 3
"""Of the models of a source."""

MEAN = "mean over sources"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Source:
    """What is judged of one source."""

    outcomes: Outcomes
    """Without format failures, and without copies of evaluation prompts."""
    with_failures: Outcomes | None
    """The same with format failures; None if there are none."""
    judge: Ints
    """The fold whose router judges each pair of models, shape (models, models)."""
    folds: Mapping[int, Fold]
    """By number."""


def by_source(
    candidates: Sequence[Candidate],
    checkpoints: Mapping[str, Router],
    files: TrainingFiles,
    folder: Path,
    *,
    draws: int,
    progress: Progress,
) -> list[Compared]:
    """Return the mean APGR over pairs of models of each source, and the mean over the sources.

    Args:
        candidates: what to compare, all of which learn outcomes.
        checkpoints: routers that are trained already, by name.
        files: what to learn from, and to judge on.
        folder: for ``RESULTS`` and the scores of each fold.
        draws: resamples of the prompts for the intervals.
        progress: receives each stage, and what is left out.

    Raises:
        DataError: a file cannot be used, there is one source, or none has a pair to judge on.
        ConfigError: ``folder`` holds another run.
    """
    check_candidates(candidates, checkpoints)
    progress.stage("Reading")
    sources = _sources(files, candidates[0].config, progress)
    found: list[OverPairs] = []
    results: list[Compared] = []
    for source in sources:
        outcomes = source.outcomes
        scores = {
            candidate.name: _scores(candidate, source, files, folder, progress)
            for candidate in candidates
        }
        for name, router in checkpoints.items():
            scores[name] = score_prompts(
                name, router, outcomes.prompts, cache=cache_folder(), progress=progress
            )
        scores[LENGTH] = np.array([float(len(prompt)) for prompt in outcomes.prompts])
        progress.stage(f"Measuring on {outcomes.source}")
        over = mean_over_pairs(outcomes.quality, scores, draws, judge=source.judge)
        assert over is not None
        found.append(over)
        results.append(Compared.of_pairs(outcomes.source, len(outcomes.prompts), over))
        if source.with_failures is not None:
            kept = mean_over_pairs(source.with_failures.quality, scores, 0, judge=source.judge)
            if kept is not None:
                progress.message(_effect(outcomes.source, over, kept))
    if len(found) > 1:
        results.append(Compared.of_pairs(MEAN, sum(each.n for each in results), _mean(found)))
    _write(folder, results, [*(each.name for each in candidates), *checkpoints], files)
    return results


def _sources(files: TrainingFiles, config: TrainingConfig, progress: Progress) -> list[_Source]:
    rows = read_files(files)
    if len(rows.gold) < 2:
        raise DataError(
            "--by source: no prompt is left to train on while the only source is held out: "
            "give more files, or hold out by fold"
        )
    leave_out = config.model_copy(update={"keep_format_failures": False})
    gold, _ = usable_gold(rows.gold, leave_out, progress)
    names = config.canonical()
    found = []
    for source, kept in gold.items():
        outcomes, raw = Outcomes.of(source, kept, names), rows.gold[source]
        clean = _clean(outcomes.prompts, rows.evaluation)
        outcomes = outcomes.only(clean)
        if not _pairs(outcomes):
            progress.message(
                f"{source}: not judged, as no two of its models differ by {LEAST_GAP:g} or more "
                f"with the weaker one at {LEAST_QUALITY:g} or more"
            )
            continue
        others = [row for name, own in gold.items() if name != source for row in own]
        judge, folds = _folds(outcomes, others, names, progress)
        whole = None
        if sum(map(_labels, raw)) > sum(map(_labels, kept)):
            whole = _aligned(Outcomes.of(source, raw, names), outcomes)
        found.append(_Source(outcomes, whole, judge, folds))
    if not found:
        raise DataError("nothing to judge on: no source has a pair of models to route between")
    return found


def _labels(row: Gold) -> int:
    return len(row.correct)


def _clean(prompts: Sequence[str], evaluation: Sequence[str]) -> NDArray[np.bool_]:
    if not evaluation:
        return np.ones(len(prompts), np.bool_)
    encoder = load_encoder("static")
    return ~contaminated(prompts, encoder.encode(prompts), evaluation, encoder)


def _aligned(whole: Outcomes, outcomes: Outcomes) -> Outcomes | None:
    """Return the outcomes with format failures on the same prompts and models."""
    wanted = frozenset(outcomes.prompts)
    kept = whole.only(np.array([prompt in wanted for prompt in whole.prompts]))
    return kept if kept.models == outcomes.models and kept.prompts == outcomes.prompts else None


def _folds(
    outcomes: Outcomes, others: Sequence[Gold], names: Mapping[str, str], progress: Progress
) -> tuple[Ints, dict[int, Fold]]:
    """Return the fold that judges each pair of models, and the folds that judge a pair."""
    models = outcomes.models
    digests = frozenset(map(sha256_of, outcomes.prompts))
    measured = {
        names.get(model, model)
        for row in others
        if sha256_of(row.prompt) not in digests
        for model in row.correct
    }
    # Those that other sources have are dealt first, so that each group leaves some to learn from.
    order = sorted(
        range(len(models)), key=lambda at: (models[at] not in measured, sha256_of(models[at]))
    )
    group = np.empty(len(models), np.int64)
    group[order] = np.arange(len(models)) % GROUPS
    # Fold g holds out the groups g and g + 1, and judges the pairs within g and between the two.
    a, b = group[:, None], group[None, :]
    judge = np.where((b + 1) % GROUPS == a, b, a)
    folds = {}
    for number in sorted({int(judge[p]) for p in _pairs(outcomes)}):
        own = frozenset(
            model
            for model, its in zip(models, group.tolist(), strict=True)
            if its in (number, (number + 1) % GROUPS)
        )
        if not measured - own:
            progress.message(
                f"{outcomes.source}: its models are not held out, as the other sources have no "
                "other models to learn from"
            )
            folds = {0: Fold(outcomes.source, digests)}
            return np.zeros_like(judge), folds
        folds[number] = Fold(f"{outcomes.source}-{number}", digests, own)
    return judge, folds


def _pairs(outcomes: Outcomes) -> list[tuple[int, int]]:
    return clear_pairs(outcomes.quality, np.random.default_rng(0))


def _scores(
    candidate: Candidate,
    source: _Source,
    files: TrainingFiles,
    folder: Path,
    progress: Progress,
) -> Floats:
    """Return the scores of the source's prompts by the router of each fold, shape (n, GROUPS)."""
    prompts = source.outcomes.prompts
    digest = run_digest(candidate.router, candidate.config, files, "pairs of a source", *prompts)
    run = Run(candidate.router, candidate.config, files, folder / candidate.name, digest)
    scores = np.zeros((len(prompts), GROUPS))
    for at, (number, fold) in enumerate(source.folds.items()):
        part = f"{candidate.name}, without {source.outcomes.source}, {at + 1}/{len(source.folds)}"
        known = run.scores(fold, prompts, Within(progress, part))
        scores[:, number] = [known[sha256_of(prompt)] for prompt in prompts]
    return scores


def _mean(found: Sequence[OverPairs]) -> OverPairs:
    """Return the mean over sources, whose prompts are resampled each by themselves."""
    draws = min(len(drawn) for over in found for drawn in over.drawn.values())
    return OverPairs(
        sum(over.pairs for over in found),
        {name: float(np.mean([over.mean[name] for over in found])) for name in found[0].mean},
        {
            name: np.mean([over.drawn[name][:draws] for over in found], axis=0)
            for name in found[0].mean
        },
    )


def _effect(source: str, over: OverPairs, kept: OverPairs) -> str:
    figures = ", ".join(
        f"{name} {over.mean[name]:.3f} to {kept.mean[name]:.3f}" for name in over.mean
    )
    return f"{source}: format failures, which are left out, would change APGR: {figures}"


def _write(
    folder: Path, results: Sequence[Compared], names: Sequence[str], files: TrainingFiles
) -> None:
    content: dict[str, Any] = {
        "versions": versions(),
        "command": " ".join(["routellm cross-validate", *names, "--by source", *files.options()]),
        "benchmarks": list(_benchmarks(results)),
    }
    write_whole(folder / RESULTS, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    write_whole(folder / ROWS, markdown(results).encode("utf-8", "replace"))


def _benchmarks(results: Sequence[Compared]) -> Iterator[dict[str, Any]]:
    for each in results:
        yield {
            "benchmark": each.title,
            "n": each.n,
            "pairs": each.pairs,
            "results": [
                {
                    "name": name,
                    "apgr": apgr and vars(apgr),
                    "over": {other: vars(over) for other, over in each.over[name].items()},
                }
                for name, apgr in each.apgr.items()
            ],
        }
