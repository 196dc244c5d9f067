"""Check labels before they are learned from.

The worst fault is a *format failure*: a model below chance on a task with answer options, on
which other models are above it, did not answer badly. Its answers were not read, because it
explained instead of choosing a letter, left out a required format or stopped early. A router
that learns such labels sends the task to the wrong model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .answer_options import count_options
from .json_rows import shown
from .labels import Battle, Gold
from .prompt_texts import PromptTexts

FORMAT_FAILURE = "format failure"

_FEWEST = 20
"""Prompts that a cell needs before anything is said about it."""

_SURE = 2.5
"""Standard errors of a mean by which it must differ."""

_MARGIN = 0.1
"""How far the median of the others must be from the mean of a model that is named."""

_MULTIPLE_CHOICE = 0.9
"""Share of a task's prompts that must show their options."""

_ROUNDING = 1e-6
"""By how much qualities that add up to 1 may miss it."""

_CONFLICT = 0.5
"""Labels of one prompt that differ by more are in conflict."""


@dataclass(frozen=True)
class Cell:
    """One model on one task."""

    task: str
    """Empty for battles."""
    model: str
    n: int
    """Distinct prompts; in battles, battles."""
    mean: float
    """Mean quality in [0, 1]; in battles the win rate, a tie being half a win."""
    chance: float | None
    """Mean quality of guessing; None if the task's prompts show no options, and for battles."""
    others: float | None
    """Median of the other models' means on the task; None if none has 20 prompts."""
    finding: str
    """``format failure``, ``all wrong``, ``all right`` or empty."""


@dataclass(frozen=True)
class Report:
    """What was found in the labels of one source."""

    rows: int
    prompts: int
    """Distinct prompts."""
    cells: tuple[Cell, ...]
    """By task, the best model of each first."""
    findings: tuple[str, ...]
    """One line each: what is wrong, where, and what to do. Format failures come first."""

    @property
    def format_failures(self) -> set[tuple[str, str]]:
        """Return the task and model of labels to leave out of training."""
        return {(cell.task, cell.model) for cell in self.cells if cell.finding == FORMAT_FAILURE}


def check_gold(rows: Iterable[Gold], options: int | None = None) -> Report:
    """Check gold labels of one source.

    A format failure is a mean 2.5 standard errors below chance, where the median of the other
    models is above chance and .1 above the model's mean. A model is named for being all wrong
    (or all right) on a task if that is .1 and 2.5 standard errors from the median of the others.
    Both need 20 prompts of the task with labels of the model. Several labels of a model on one
    prompt count as their mean. Qualities of two models that add up to 1 in every row are verdicts
    on which answer is better, as a judge gives them: guessing has no chance there.

    Args:
        rows: the labels; read once.
        options: how many answers every prompt offers; None counts them in the prompts.
    """
    texts = PromptTexts()
    tasks: dict[str, int] = {}
    row_tasks, row_chances = [], []
    columns: defaultdict[str, _Column] = defaultdict(_Column)
    are_verdicts = True
    for number, row in enumerate(rows):
        prompt = texts.add(row.task, row.prompt)
        offered = count_options(row.prompt) if options is None else options
        row_tasks.append(tasks.setdefault(row.task, len(tasks)))
        row_chances.append(1 / offered if offered else np.nan)
        are_verdicts &= len(row.correct) == 2 and abs(sum(row.correct.values()) - 1) < _ROUNDING
        for model, quality in row.correct.items():
            columns[model].add(number, prompt, quality)
    chances = np.full(len(row_chances), np.nan) if are_verdicts else np.array(row_chances)
    qualities, cells = _judged(list(tasks), np.array(row_tasks), chances, columns)
    labels = (
        (model, prompt, quality)
        for model, column in columns.items()
        for prompt, quality in zip(column.prompts, column.qualities, strict=True)
    )
    findings = [
        *_failures(cells),
        *([] if are_verdicts else _all_alike(cells)),
        *(_one_verdict(columns) if are_verdicts else _one_class(qualities)),
        *_few(cells),
        *_not_compared(columns),
        *_equal_columns(columns),
        *alike_names(columns),
        *_repeats(labels, "one model", texts),
        *texts.findings(),
    ]
    return Report(len(row_tasks), len(texts.prompts), tuple(cells), tuple(findings))


def check_battles(rows: Iterable[Battle]) -> Report:
    """Check preference battles of one source.

    Args:
        rows: the battles; read once.
    """
    texts = PromptTexts()
    wins: defaultdict[str, list[float]] = defaultdict(list)
    labels = []
    outcomes = []
    for row in rows:
        prompt = texts.add("", row.prompt)
        wins[row.model_a].append(row.p_a)
        wins[row.model_b].append(1 - row.p_a)
        outcomes.append(row.p_a)
        pair = tuple(sorted((row.model_a, row.model_b)))
        labels.append((pair, prompt, row.p_a if pair[0] == row.model_a else 1 - row.p_a))
    rates = {model: np.array(each) for model, each in wins.items()}
    cells = [
        Cell("", model, len(each), float(each.mean()), None, _others(rates, model), "")
        for model, each in rates.items()
    ]
    cells.sort(key=lambda cell: -cell.mean)
    findings = [
        *_one_outcome(set(outcomes)),
        *alike_names(wins),
        *_repeats(labels, "one pair of models", texts),
        *texts.findings(),
    ]
    return Report(len(outcomes), len(texts.prompts), tuple(cells), tuple(findings))


def alike_names(models: Iterable[str]) -> list[str]:
    """Return a line for each group of names that differ only by case or spaces around them."""
    groups = defaultdict(set)
    for model in models:
        groups[model.strip().casefold()].add(model)
    return [
        f"names: {', '.join(map(repr, sorted(group)))} differ only by case or spaces and count "
        "as different models: write one name, or list them under 'models' in the configuration"
        for _, group in sorted(groups.items())
        if len(group) > 1
    ]


@dataclass
class _Column:
    """The labels of one model: number of the row, number of the prompt, quality."""

    rows: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)

    def add(self, row: int, prompt: int, quality: float) -> None:
        self.rows.append(row)
        self.prompts.append(prompt)
        self.qualities.append(quality)


_Qualities = dict[str, dict[str, NDArray[np.float64]]]
"""By task and model, of each distinct prompt."""


def _judged(
    tasks: list[str],
    row_tasks: NDArray[np.int64],
    row_chances: NDArray[np.float64],
    columns: Mapping[str, _Column],
) -> tuple[_Qualities, list[Cell]]:
    """Return the qualities and the cells of all tasks, which are given by number for each row."""
    qualities: _Qualities = {task: {} for task in sorted(tasks)}
    chances: dict[tuple[str, str], float | None] = {}
    for model, column in columns.items():
        own_tasks, own_chances = row_tasks[column.rows], row_chances[column.rows]
        prompts, values = np.array(column.prompts), np.array(column.qualities)
        for number in np.unique(own_tasks):
            task, chosen = tasks[number], own_tasks == number
            # Several labels of a prompt count as one: they are not independent.
            qualities[task][model] = _mean_by(prompts[chosen], values[chosen])
            chances[task, model] = _chance(_mean_by(prompts[chosen], own_chances[chosen]))
    cells = []
    for task, of_models in qualities.items():
        for model, each in sorted(of_models.items(), key=lambda item: -item[1].mean()):
            n, mean, chance = len(each), float(each.mean()), chances[task, model]
            others = _others(of_models, model)
            finding = _finding(n, mean, chance, others)
            cells.append(Cell(task, model, n, mean, chance, others, finding))
    return qualities, cells


def _mean_by(prompts: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the values of each distinct prompt."""
    _, prompt, counts = np.unique(prompts, return_inverse=True, return_counts=True)
    return np.bincount(prompt, weights=values) / counts


def _chance(chances: NDArray[np.float64]) -> float | None:
    """Return the mean over prompts that show options, None if too many (NaN) do not."""
    seen = np.isfinite(chances)
    return float(chances[seen].mean()) if seen.mean() >= _MULTIPLE_CHOICE else None


def _others(values: dict[str, NDArray[np.float64]], model: str) -> float | None:
    means = [each.mean() for name, each in values.items() if name != model and len(each) >= _FEWEST]
    return float(np.median(means)) if means else None


def _finding(n: int, mean: float, chance: float | None, others: float | None) -> str:
    if n < _FEWEST or others is None:
        return ""
    if chance is not None:
        below = mean < chance - _SURE * _error(chance, n)
        if below and others > max(chance, mean + _MARGIN):
            return FORMAT_FAILURE
    if mean in (0, 1) and abs(others - mean) > max(_MARGIN, _SURE * _error(others, n)):
        return "all right" if mean else "all wrong"
    return ""


def _error(mean: float, n: int) -> float:
    """Return the standard error of the mean of n outcomes, right or wrong."""
    return float(np.sqrt(mean * (1 - mean) / n))


def _failures(cells: list[Cell]) -> list[str]:
    return [
        f"{FORMAT_FAILURE}: model {cell.model!r} on task {cell.task!r}: right on "
        f"{_percent(cell.mean)} of {cell.n} prompts where guessing gives {_percent(cell.chance)} "
        f"and the median of the others is {_percent(cell.others)}: left out of training unless "
        "the configuration has 'keep_format_failures: true'"
        for cell in cells
        if cell.finding == FORMAT_FAILURE
    ]


def _all_alike(cells: list[Cell]) -> list[str]:
    """Return a line for each task on which models, but not all, are all right or all wrong."""
    groups: defaultdict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.finding and cell.finding != FORMAT_FAILURE:
            groups[cell.finding, cell.task].append(cell)
    return [
        f"{finding}: {', '.join(repr(cell.model) for cell in group)} on task {task!r}, where the "
        f"median of the others is {_percent(group[0].others)}: check how the answers were graded"
        for (finding, task), group in groups.items()
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _one_class(qualities: _Qualities) -> list[str]:
    """Return a line if all labels are equal, else one for each task that is all right or wrong."""
    seen = {
        task: np.unique(np.concatenate(list(of_models.values())))
        for task, of_models in qualities.items()
        if of_models
    }
    values = set().union(*seen.values())
    if len(values) == 1:
        return [f"one class only: every quality is {values.pop():g}: there is nothing to learn"]
    return [
        f"all {'right' if only[0] else 'wrong'}: every model on every prompt of task {task!r}: "
        "it does not tell models apart"
        for task, only in seen.items()
        if len(only) == 1 and only[0] in (0, 1)
    ]


def _one_verdict(columns: Mapping[str, _Column]) -> list[str]:
    """Return a line if all verdicts are the same."""
    seen = {model: set(column.qualities) for model, column in columns.items()}
    if any(len(values) > 1 for values in seen.values()):
        return []
    best = max(seen, key=lambda model: max(seen[model]))
    if seen[best] == {0.5}:
        return ["all ties: no answer is better than the other one: there is nothing to learn"]
    return [f"one class only: {best!r} is better on every prompt: there is nothing to learn"]


def _one_outcome(outcomes: set[float]) -> list[str]:
    if outcomes == {0.5}:
        return ["all ties: no battle has a winner: there is nothing to learn"]
    if outcomes in ({0.0}, {1.0}):
        name = "model_a" if outcomes == {1.0} else "model_b"
        return [
            f"one class only: {name} wins every battle: check that the column does not hold the "
            "winner by position"
        ]
    return []


def _few(cells: list[Cell]) -> list[str]:
    if any(cell.n >= _FEWEST for cell in cells):
        return []
    return [
        f"few prompts: no model has labels on {_FEWEST} prompts of any task, so none was judged"
    ]


def _not_compared(columns: Mapping[str, _Column]) -> list[str]:
    if len(columns) == 1:
        return [f"one model: only {next(iter(columns))!r} has labels: add those of other models"]
    prompts = np.concatenate([np.unique(column.prompts) for column in columns.values()])
    if np.bincount(prompts).max() == 1:
        return ["no comparison: each prompt has labels of one model: give those of all models"]
    return []


def _equal_columns(columns: Mapping[str, _Column]) -> list[str]:
    groups = defaultdict(list)
    for model, column in columns.items():
        if len(column.rows) >= _FEWEST and len(set(column.qualities)) > 1:
            groups[tuple(column.prompts), tuple(column.qualities)].append(model)
    return [
        f"equal columns: {', '.join(map(repr, group))} have the same quality on each of "
        f"{len(prompts)} prompts: check that none is a copy of another"
        for (prompts, _), group in groups.items()
        if len(group) > 1
    ]


def _repeats(
    labels: Iterable[tuple[Hashable, int, float]], whose: str, texts: PromptTexts
) -> list[str]:
    """Return a line if labels (whose, number of the prompt, value) repeat each other's prompt."""
    values: defaultdict[tuple[Hashable, int], list[float]] = defaultdict(list)
    for owner, prompt, value in labels:
        values[owner, prompt].append(value)
    again = {key: each for key, each in values.items() if len(each) > 1}
    conflicts = [key for key, each in again.items() if max(each) - min(each) > _CONFLICT]
    prompts = {prompt for _, prompt in again}
    if not again:
        return []
    if not conflicts:
        return [
            f"repeats: several labels of {whose} on {len(prompts)} of {len(texts.prompts)} "
            "prompts, which agree: they count as their mean"
        ]
    torn = {prompt for _, prompt in conflicts}
    return [
        f"conflicting repeats: several labels of {whose} on {len(prompts)} of "
        f"{len(texts.prompts)} prompts, more than {_CONFLICT} apart on {len(torn)}, such as "
        f"{shown(texts.prompts[conflicts[0][1]])}: they count as their mean"
    ]
