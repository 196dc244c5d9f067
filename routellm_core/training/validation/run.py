"""Train one candidate for each fold and score what the fold held out; finished folds are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import write_whole
from ...contracts import Router
from ...data.digests import digest_of, file_sha256, sha256_of
from ...errors import ConfigError, DataError
from ...evaluation.benchmarks.benchmark import evaluation_prompts
from ...evaluation.scoring import score_prompts
from ...progress import Progress
from ...registry.plugins import plugins
from ...version import __version__
from ..shared.config import TrainingConfig
from ..shared.files import TrainingFiles
from ..shared.out_folder import held_for_checkpoint
from ..trainers import find_trainer
from .folds import Fold


class KnownScores(Router):
    """Returns scores that were computed before.

    Args:
        scores: by SHA-256 of the prompt.
    """

    def __init__(self, scores: Mapping[str, float]) -> None:
        self._scores = scores

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the score of each prompt: shape (n,)."""
        return np.array([self._scores[sha256_of(prompt)] for prompt in prompts], np.float64)


@dataclass(frozen=True)
class Run:
    """One way of training, whose folds are trained and scored one after the other."""

    router: str
    """Name of a router that can be trained."""
    config: TrainingConfig
    files: TrainingFiles
    folder: Path
    """For the scores of each fold. A run that was interrupted continues from what it left here;
    checkpoints of finished folds are removed."""
    digest: str
    """What the scores depend on, by ``run_digest``."""

    def scores(self, fold: Fold, prompts: Sequence[str], progress: Progress) -> dict[str, float]:
        """Return the scores of a fold's prompts by SHA-256, from a router trained without them.

        Args:
            fold: what is held out.
            prompts: what is scored.
            progress: receives each stage.

        Raises:
            ConfigError: ``folder`` holds another run.
        """
        done, checkpoint = self.folder / f"{fold.name}.json", self.folder / fold.name
        found = self._read(done)
        if found is None:
            files = replace(self.files, held_out=fold.held_out, models_held_out=fold.models)
            with held_for_checkpoint(checkpoint):
                find_trainer(self.router).train(files, checkpoint, self.config, progress=progress)
            found = self._score(checkpoint, prompts, progress)
            content = {"run": self.digest, "scores": found}
            write_whole(done, (json.dumps(content, indent=1) + "\n").encode())
            shutil.rmtree(checkpoint)
        return found

    def _read(self, path: Path) -> dict[str, float] | None:
        if not path.is_file():
            return None
        content = json.loads(path.read_bytes())
        if content["run"] != self.digest:
            raise ConfigError(
                f"{path} belongs to another run, with other files, settings or folds: name another "
                "--out, or remove that folder"
            )
        scores: dict[str, float] = content["scores"]
        return scores

    def _score(
        self, checkpoint: Path, prompts: Sequence[str], progress: Progress
    ) -> dict[str, float]:
        """Score with a router that is not shared, so that its memory is freed afterwards."""
        trained = plugins.factory("router", self.router)(checkpoint=str(checkpoint))
        assert isinstance(trained, Router)
        scores = score_prompts(self.router, trained, prompts, cache=None, progress=progress)
        return dict(zip(map(sha256_of, prompts), scores.tolist(), strict=True))


def run_digest(router: str, config: TrainingConfig, files: TrainingFiles, *more: str) -> str:
    """Return a digest that changes with everything the scores of a run depend on.

    Args:
        router: its name.
        config: how it is trained.
        files: what it learns from.
        more: what else, such as the number of folds.

    Raises:
        DataError: a file cannot be read.
    """
    parts = [__version__, router, *more, config.model_dump_json()]
    for path in (*files.battles, *files.gold, *files.decontaminate):
        parts.append(path.name)
        if path.is_dir():
            parts.extend(evaluation_prompts(path))
            continue
        try:
            parts.append(file_sha256(path))
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}): give a file of training data"
            ) from error
    return digest_of(parts)
