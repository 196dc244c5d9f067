"""Train once for each fold of the data, and score what the fold kept out; a fold done is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import write_whole
from ...contracts import Router
from ...errors import ConfigError, DataError
from ...evaluation.benchmarks.benchmark import evaluation_prompts, sha256_of
from ...evaluation.scoring import Track, score_prompts
from ...registry.plugins import plugins
from ...version import __version__
from ..shared.config import TrainingConfig
from ..shared.files import TrainingFiles
from ..shared.prepare import Say
from ..trainers import find_trainer


class ByItsFold(Router):
    """Gives each prompt the score it got from the router that had not learned it.

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
    """One way of training, whose folds are scored one after the other."""

    router: str
    """Name of one that can be trained."""
    config: TrainingConfig
    folder: Path
    """For the scores of each fold. A run that was cut off goes on from what it left here;
    checkpoints of folds that are done are not kept."""
    digest: str
    """What the scores depend on, by ``digest_of``."""

    def scores(
        self, fold: str, files: TrainingFiles, prompts: Sequence[str], say: Say, track: Track
    ) -> dict[str, float]:
        """Return the scores of a fold's prompts by SHA-256, from a router trained for it.

        Args:
            fold: its name, that of a file.
            files: what to learn from, which keep the fold's prompts out.
            prompts: the fold's.
            say: told what is going on.
            track: shows progress of long scoring.

        Raises:
            ConfigError: ``folder`` holds another run.
        """
        done, checkpoint = self.folder / f"{fold}.json", self.folder / fold
        found = self._read(done)
        if found is None:
            find_trainer(self.router).train(files, checkpoint, self.config, say=say)
            say("Scoring")
            found = self._score(checkpoint, prompts, track)
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
                f"{path} is of another run, with other files, settings or folds: name another "
                "--out, or remove that folder"
            )
        scores: dict[str, float] = content["scores"]
        return scores

    def _score(self, checkpoint: Path, prompts: Sequence[str], track: Track) -> dict[str, float]:
        """Score with a router that is not shared, so that its memory is free again."""
        trained = plugins.factory("router", self.router)(checkpoint=str(checkpoint))
        assert isinstance(trained, Router)
        scores = score_prompts(self.router, trained, list(prompts), cache=None, track=track)
        return dict(zip(map(sha256_of, prompts), scores.tolist(), strict=True))


def digest_of(router: str, config: TrainingConfig, files: TrainingFiles, *more: str) -> str:
    """Return the name of a run: it changes with all that its scores depend on.

    Args:
        router: its name.
        config: how it is trained.
        files: what it learns from.
        more: what else, such as the number of folds.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256("\0".join([__version__, router, *more]).encode())
    digest.update(f"\0{config.model_dump_json()}".encode())
    for path in (*files.battles, *files.gold, *files.decontaminate):
        digest.update(f"\0{path.name}\0".encode())
        if path.is_dir():
            for prompt in evaluation_prompts(path):
                digest.update(sha256_of(prompt).encode())
            continue
        try:
            digest.update(path.read_bytes())
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}): give a file of training data"
            ) from error
    return digest.hexdigest()
