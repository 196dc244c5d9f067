"""The trainer of sw_ranking, watched."""

from __future__ import annotations

from typing import Any

import pytest

from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.sw_ranking.train import train_sw_ranking
from routellm_core.training.trainers import Trainer, find_trainer
from routellm_core.training.validation import run


def watched_training(monkeypatch: pytest.MonkeyPatch) -> list[TrainingFiles]:
    """Return a list that the files of each fold's training will be added to, as they come."""
    calls: list[TrainingFiles] = []

    def train(files: TrainingFiles, *arguments: Any, **options: Any) -> dict[str, Any]:
        calls.append(files)
        return train_sw_ranking(files, *arguments, **options)

    trainer = Trainer(find_trainer("sw_ranking").config, train)
    monkeypatch.setattr(run, "find_trainer", lambda name: trainer)
    return calls
