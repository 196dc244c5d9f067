"""Training that is watched, interrupted, or reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from routellm_core import Router, hookimpl
from routellm_core.progress import SILENT, Progress
from routellm_core.training.shared.config import TrainingConfig
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.shared.prepare import split
from routellm_core.training.sw_ranking.train import train_sw_ranking
from routellm_core.training.trainers import Trainer, find_trainer
from routellm_core.training.validation import run


def watched_training(monkeypatch: pytest.MonkeyPatch) -> list[TrainingFiles]:
    """Return a list to which the files of each fold's training of sw_ranking are added."""
    calls: list[TrainingFiles] = []

    def train(files: TrainingFiles, *arguments: Any, **options: Any) -> dict[str, Any]:
        calls.append(files)
        return train_sw_ranking(files, *arguments, **options)

    trainer = Trainer(find_trainer("sw_ranking").config, train)
    monkeypatch.setattr(run, "find_trainer", lambda name: trainer)
    return calls


class Interrupted(Exception):  # noqa: N818
    """Raised where a run is killed."""


class Steps(Progress):
    """Records steps, and interrupts a run at one of them or at a stage."""

    def __init__(self, *, at: int | None = None, stage: str | None = None) -> None:
        self.steps: list[int] = []
        self._at = at
        self._stage = stage
        self._of_stage = ""

    def stage(self, name: str) -> None:
        self._of_stage = name
        if self._stage is not None and self._at is None and name.startswith(self._stage):
            raise Interrupted

    def step(self, done: int, total: int, note: str = "") -> None:
        self.steps.append(done)
        if done == self._at and self._of_stage.startswith(self._stage or ""):
            raise Interrupted


class Messages(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, line: str) -> None:
        self.lines.append(line)


class MeanRouter(Router):
    """Scores every prompt alike: the mean of what it learned from."""

    def __init__(self, checkpoint: str) -> None:
        self._mean = float((Path(checkpoint) / "mean.txt").read_text())

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(prompts), self._mean)


def _train_mean(
    files: TrainingFiles, folder: Path, config: TrainingConfig, *, progress: Progress = SILENT
) -> dict[str, Any]:
    data = split(files, config, progress)
    gain = (data.comparisons.strong - data.comparisons.weak)[data.train]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mean.txt").write_text(str((1 + np.nanmean(gain)) / 2))
    return {"sources": data.sources()}


class MeanPlugin:
    """Registers the router ``mean``, which reads nothing, and its trainer."""

    @hookimpl
    def routellm_register_routers(self, register):
        register("mean", MeanRouter)

    @hookimpl
    def routellm_register_trainers(self, register):
        register("mean", lambda: Trainer(TrainingConfig, _train_mean))
