"""Train the mf router: data in, checkpoint with metrics and model card out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...progress import SILENT, Progress
from ..shared.files import TrainingFiles
from .config import MFConfig


def train_mf(
    files: TrainingFiles, folder: Path, config: MFConfig, *, progress: Progress = SILENT
) -> dict[str, Any]:
    """Train on all sources together and write the checkpoint.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card.
        config: what is learned (``learn``), hyper-parameters, and how each source is used.
        progress: receives each stage.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    if config.learn == "outcomes":
        from .outcomes import train_on_outcomes

        return train_on_outcomes(files, folder, config, progress)
    from .pair import train_on_pair

    return train_on_pair(files, folder, config, progress)
