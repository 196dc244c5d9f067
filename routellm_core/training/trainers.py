"""Every router that can be trained, by name: its configuration and what trains it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import PluginError
from ..progress import Progress
from ..registry.plugins import plugins
from .shared.config import TrainingConfig
from .shared.files import TrainingFiles


class Train(Protocol):
    """Writes a checkpoint with metrics.json and model card, and returns what metrics.json holds.

    Started again in the same folder, a run that was interrupted continues or begins anew.
    """

    def __call__(
        self, files: TrainingFiles, folder: Path, config: Any, *, progress: Progress = ...
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Trainer:
    """How a router is trained."""

    config: type[TrainingConfig]
    """What its configuration file holds; defaults for all of it."""
    train: Train


def find_trainer(router: str) -> Trainer:
    """Return how a router is trained.

    Raises:
        ConfigError: no trainer is registered for it; the message names the nearest.
        PluginError: its plugin's factory returned something else.
        MissingExtraError: a package for it is not installed.
    """
    trainer = plugins.factory("trainer", router)()
    if not isinstance(trainer, Trainer):
        raise PluginError(
            f"trainer '{router}' is a {type(trainer).__name__}: its factory must return a "
            "routellm_core.training.trainers.Trainer"
        )
    return trainer
