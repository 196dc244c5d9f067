"""Turn battles and gold labels of several sources into comparisons of two models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, product
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...data.labels import Battle, Gold
from ...errors import ConfigError, did_you_mean
from ...evaluation.reliability import how_often_better
from ...progress import SILENT, Progress
from .config import RIGHT_ANSWER, TrainingConfig

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LEAST = 1e-9
"""Of a difference of win rates."""


@dataclass(frozen=True)
class Comparisons:
    """All training comparisons. Models and sources are numbered as in their lists."""

    models: list[str]
    sources: list[str]
    prompts: list[str]
    """Distinct within a source."""
    source: Ints
    """Of each prompt, shape (len(prompts),)."""
    tasks: list[tuple[str, ...]]
    """Of each prompt, the tasks that gold names; () in battles."""
    strong: Floats
    """Mean quality of the strong models' answers to each prompt; NaN in battles."""
    weak: Floats
    """Mean quality of the weak models'."""
    better: Floats
    """How often a strong model's answer is better, a tie counting as half; NaN in battles."""
    prompt: Ints
    """Of each comparison, shape (m,), as are the next three."""
    first: Ints
    second: Ints
    p_first: Floats
    """Probability that the first model's answer is better, in [0, 1]."""

    def only(self, keep: NDArray[np.bool_]) -> Comparisons:
        """Return the comparisons on the prompts where ``keep`` holds; models keep numbers."""
        pairs = keep[self.prompt]
        renumbered = np.cumsum(keep) - 1
        return Comparisons(
            self.models,
            self.sources,
            [prompt for prompt, kept in zip(self.prompts, keep, strict=True) if kept],
            self.source[keep],
            [tasks for tasks, kept in zip(self.tasks, keep, strict=True) if kept],
            self.strong[keep],
            self.weak[keep],
            self.better[keep],
            renumbered[self.prompt[pairs]],
            self.first[pairs],
            self.second[pairs],
            self.p_first[pairs],
        )


def compare_models(
    battles: Mapping[str, Iterable[Battle]],
    gold: Mapping[str, Iterable[Gold]],
    config: TrainingConfig,
    progress: Progress = SILENT,
) -> Comparisons:
    """Return the comparisons of all sources.

    Gold: each model that counts as the strong one (``config.models``) meets each that counts as
    the weak one, and wins with probability (1 + its quality - the other's) / 2. Where a source
    holds a prompt several times, a model's quality is the mean of its labels, and the comparisons
    of two models are averaged.

    Args:
        battles: by source.
        gold: by source.
        config: the pair, and the names that count as each.
        progress: is told how many prompts of gold are left out.

    Raises:
        ConfigError: a source that is configured is missing, or the strong or the weak model
            does not occur where it must.
    """
    for name in (*config.sources, *([config.traffic] if config.traffic else [])):
        if name not in battles and name not in gold:
            raise ConfigError(
                f"the configuration names a source '{name}' but no such file was given: "
                f"{did_you_mean(name, [*battles, *gold])}"
            )
    builder = _Builder(config.canonical())
    for name, rows in battles.items():
        builder.add_battles(name, rows)
    for name, gold_rows in gold.items():
        builder.add_gold(name, gold_rows, config, progress)
    comparisons = builder.build()
    for model in (config.strong_model, config.weak_model):
        if model not in comparisons.models:
            raise ConfigError(
                f"the reference model '{model}' does not occur in the data: "
                f"{did_you_mean(model, comparisons.models)}"
            )
    return comparisons


def check_direction(
    comparisons: Comparisons, config: TrainingConfig, progress: Progress = SILENT
) -> None:
    """Make sure that strong and weak model are not swapped.

    Args:
        comparisons: of all models.
        config: names the pair.
        progress: is told if the strong model is not clearly better.

    Raises:
        ConfigError: where the two are compared, the weak model wins more often.
    """
    strong, weak = map(comparisons.models.index, (config.strong_model, config.weak_model))
    forward = (comparisons.first == strong) & (comparisons.second == weak)
    backward = (comparisons.first == weak) & (comparisons.second == strong)
    wins = [*comparisons.p_first[forward], *(1 - comparisons.p_first[backward])]
    # Labels that are all the same are another fault, which is named later.
    if wins and np.ptp(wins) > 0 and np.mean(wins) < 0.5 - _LEAST:
        raise ConfigError(
            f"'{config.weak_model}' wins more often than '{config.strong_model}' (a win rate of "
            f"{1 - np.mean(wins):.3f} over {len(wins):,} comparisons): swap strong_model and "
            "weak_model, or name other models"
        )
    error = np.std(wins) / np.sqrt(len(wins)) if wins else 0.0
    if error > 0 and np.mean(wins) - 2 * error < 0.5:
        progress.message(
            f"'{config.strong_model}' is not clearly better than '{config.weak_model}' (a win rate "
            f"of {np.mean(wins):.3f} +- {2 * error:.3f} over {len(wins):,} comparisons): routing "
            "between them can gain little"
        )


class _Builder:
    def __init__(self, canonical: dict[str, str]) -> None:
        self._canonical = canonical
        self._models: dict[str, int] = {}
        self._sources: list[str] = []
        self._prompts: dict[tuple[int, str], int] = {}
        self._qualities: list[tuple[float, float, float]] = []
        self._tasks: list[dict[str, None]] = []
        self._labels: dict[tuple[int, int, int], list[float]] = defaultdict(list)

    def add_battles(self, name: str, rows: Iterable[Battle]) -> None:
        self._sources.append(name)
        for row in rows:
            prompt = self._prompt(row.prompt)
            self._label(prompt, row.model_a, row.model_b, row.p_a)

    def add_gold(
        self, name: str, rows: Iterable[Gold], config: TrainingConfig, progress: Progress
    ) -> None:
        self._sources.append(name)
        known: set[str] = set()
        labels: dict[str, dict[str, list[float]]] = {}
        tasks: dict[str, dict[str, None]] = {}
        for row in rows:
            known.update(row.correct)
            own = labels.setdefault(row.prompt, {})
            for model, quality in row.correct.items():
                own.setdefault(model, []).append(quality)
            tasks.setdefault(row.prompt, {})[row.task] = None
        before, left_out = len(self._prompts), 0
        for text, of_models in labels.items():
            every = {RIGHT_ANSWER: [1.0], **of_models}
            strong, weak = (
                {model: own for model, own in every.items() if self._name(model) == tier}
                for tier in (config.strong_model, config.weak_model)
            )
            if RIGHT_ANSWER in strong and len(strong) > 1:
                del strong[RIGHT_ANSWER]
            if not strong or not weak:
                left_out += 1
                continue
            prompt = self._prompt(text)
            of_strong, of_weak = ({m: fmean(q) for m, q in own.items()} for own in (strong, weak))
            self._qualities[prompt] = (
                fmean(of_strong.values()),
                fmean(of_weak.values()),
                how_often_better(*(list(chain(*own.values())) for own in (strong, weak))),
            )
            self._tasks[prompt] = tasks[text]
            for s, w in product(strong, weak):
                self._label(prompt, s, w, (1 + of_strong[s] - of_weak[w]) / 2)
        if len(self._prompts) == before:
            raise ConfigError(
                f"source '{name}' does not compare '{config.strong_model}' with "
                f"'{config.weak_model}'; it has {', '.join(sorted(known))}: name two of them with "
                "--set strong_model=NAME --set weak_model=NAME or in the configuration, or say "
                "under 'models' there which of them count as the two"
            )
        if left_out:
            progress.message(
                f"{name}: {left_out:,} of {len(labels):,} prompts have no labels of both "
                f"'{config.strong_model}' and '{config.weak_model}' and are left out"
            )

    def build(self) -> Comparisons:
        pairs = np.array(list(self._labels), np.int64).reshape(-1, 3)
        quality = np.array(self._qualities).reshape(-1, 3)
        return Comparisons(
            models=list(self._models),
            sources=self._sources,
            prompts=[prompt for _, prompt in self._prompts],
            source=np.array([source for source, _ in self._prompts], np.int64),
            tasks=[tuple(tasks) for tasks in self._tasks],
            strong=quality[:, 0],
            weak=quality[:, 1],
            better=quality[:, 2],
            prompt=pairs[:, 0],
            first=pairs[:, 1],
            second=pairs[:, 2],
            p_first=np.array([np.mean(labels) for labels in self._labels.values()]),
        )

    def _prompt(self, text: str) -> int:
        key = (len(self._sources) - 1, text)
        if key not in self._prompts:
            self._prompts[key] = len(self._prompts)
            self._qualities.append((np.nan, np.nan, np.nan))
            self._tasks.append({})
        return self._prompts[key]

    def _label(self, prompt: int, first: str, second: str, p_first: float) -> None:
        a, b = self._model(first), self._model(second)
        self._labels[prompt, a, b].append(p_first)

    def _model(self, name: str) -> int:
        return self._models.setdefault(self._name(name), len(self._models))

    def _name(self, model: str) -> str:
        return self._canonical.get(model, model)
