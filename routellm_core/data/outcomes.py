"""Outcomes of many models on the same prompts, as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .labels import Gold


@dataclass(frozen=True)
class Outcomes:
    """How well models answered the prompts of one source."""

    source: str
    """Its name."""
    prompts: list[str]
    """Each once."""
    tasks: list[str]
    """Of each prompt."""
    models: list[str]
    """Sorted."""
    quality: NDArray[np.float64]
    """Mean quality of each model's answers to each prompt, in [0, 1]; NaN where it was not
    measured. Shape (len(prompts), len(models))."""
    right_or_wrong: bool = False
    """Whether every label is 0 or 1, so that a mean says how often the answer is right."""

    @classmethod
    def of(
        cls, source: str, rows: Iterable[Gold], canonical: Mapping[str, str] | None = None
    ) -> Outcomes:
        """Return the table of gold labels; a prompt that occurs several times has mean qualities.

        Args:
            source: its name.
            rows: labels.
            canonical: the name that is used for a model, by the name it has in the rows.
        """
        names = canonical or {}
        task: dict[str, str] = {}
        found: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in rows:
            task.setdefault(row.prompt, row.task)
            for model, quality in row.correct.items():
                found[row.prompt, names.get(model, model)].append(quality)
        models = sorted({model for _, model in found})
        row_of = {prompt: at for at, prompt in enumerate(task)}
        column_of = {model: at for at, model in enumerate(models)}
        table = np.full((len(task), len(models)), np.nan)
        for (prompt, model), values in found.items():
            table[row_of[prompt], column_of[model]] = np.mean(values)
        binary = all(value in (0, 1) for values in found.values() for value in values)
        return cls(source, list(task), list(task.values()), models, table, binary)

    @property
    def measured(self) -> NDArray[np.int64]:
        """How many models were measured on each prompt, shape (len(prompts),)."""
        measured: NDArray[np.int64] = np.isfinite(self.quality).sum(axis=1)
        return measured

    def only(self, keep: NDArray[np.bool_]) -> Outcomes:
        """Return the outcomes on the prompts where ``keep`` (shape (len(prompts),)) holds."""
        at = np.flatnonzero(keep)
        return replace(
            self,
            prompts=[self.prompts[i] for i in at],
            tasks=[self.tasks[i] for i in at],
            quality=self.quality[at],
        )

    def without(self, cells: Collection[tuple[str, str]]) -> Outcomes:
        """Return the outcomes with the cells of these (task, model) not measured."""
        quality = self.quality.copy()
        tasks = np.array(self.tasks, object)
        for task, model in cells:
            if model in self.models:
                quality[tasks == task, self.models.index(model)] = np.nan
        return replace(self, quality=quality)

    def without_models(self, models: Collection[str]) -> Outcomes:
        """Return the outcomes of the other models, on the same prompts."""
        keep = [at for at, model in enumerate(self.models) if model not in models]
        return replace(self, models=[self.models[at] for at in keep], quality=self.quality[:, keep])
