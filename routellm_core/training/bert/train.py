"""Train the bert router, on one pair of models or on the outcomes of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...progress import SILENT, Progress
from ..shared.files import TrainingFiles
from .config import BERTConfig
from .outcomes import train_on_outcomes
from .pair import train_on_pair


def train_bert(
    files: TrainingFiles,
    folder: Path,
    config: BERTConfig,
    *,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Fine-tune on all sources together and write the checkpoint.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card. A run that was interrupted
            continues from the state it left here.
        config: what is learned (``learn``), hyper-parameters, and how each source is used.
        progress: receives each stage, and each step with its loss.

    Returns:
        What metrics.json holds; empty on all but the first of several processes.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or ``folder`` holds another run.
        CheckpointError: the model to start from is missing or damaged.
        MissingExtraError: a package for it is not installed.
    """
    train = train_on_outcomes if config.learn == "outcomes" else train_on_pair
    return train(files, folder, config, progress)
