"""The router that labels move: an mf checkpoint, and the linear function that is nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import (
    WEIGHTS,
    Checkpoint,
    Tensors,
    find_checkpoint,
    load_checkpoint,
    require_tensors,
)
from ...encoders.surface import SURFACE_DIM
from ...errors import ConfigError
from ...routers.embedding_checkpoint import EmbeddingCheckpoint
from ...routers.mf.router import TENSORS, MatrixFactorizationRouter

Floats = NDArray[np.float64]

_SURE = 1e-6
_STEP = 0.5
"""Of a standardised feature, to measure how the logit changes with it."""

_PROBED = 50
"""Prompts at which that is measured, about."""

_NAME = "name one that `routellm train mf` or `routellm adapt` wrote, or the bundled mf"


@dataclass(frozen=True)
class Base:
    """What is known before any label."""

    trained: EmbeddingCheckpoint
    tensors: Tensors
    router: MatrixFactorizationRouter

    @property
    def folder(self) -> Path:
        """Folder of the checkpoint."""
        return self.trained.folder

    @property
    def embedding(self) -> int:
        """How many of the features, the first ones, are the embedding's."""
        return len(self.tensors["features.mean"]) - SURFACE_DIM

    def raw(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return the features of prompts as the encoder makes them, shape (n, D)."""
        return self.trained.encoder.encode(prompts)

    def standardised(self, raw: NDArray[np.float32]) -> Floats:
        """Return the same as the weights take them, shape (n, D)."""
        mean, scale = self.tensors["features.mean"], self.tensors["features.scale"]
        features: Floats = ((raw - mean) * scale).astype(np.float64)
        return features

    def linear(self, features: Floats) -> Floats:
        """Return weights of the router's logit over standardised features, shape (D,): its mean
        gradient at prompts up to a factor, so that a linear logit keeps its order exactly.

        Args:
            features: standardised, of the prompts, shape (n, D).
        """
        scale = self.tensors["features.scale"]
        width = np.where(scale == 0, 1, scale)
        steps = _STEP * np.eye(len(scale))
        weights = np.zeros(len(scale))
        for at in features[:: max(1, len(features) // _PROBED)]:
            raw = (at + np.vstack([steps, -steps])) / width + self.tensors["features.mean"]
            rates = np.clip(self.router.score_embeddings(raw.astype(np.float32)), _SURE, 1 - _SURE)
            logits = np.log(rates / (1 - rates))
            weights += logits[: len(scale)] - logits[len(scale) :]
        return np.where(scale == 0, 0.0, weights)


def read_base(checkpoint: Checkpoint) -> Base:
    """Return the router to start from.

    Args:
        checkpoint: a bundled name, a folder or a Hugging Face id.

    Raises:
        CheckpointError: it is missing or damaged.
        ConfigError: it is the checkpoint of another router than mf.
    """
    folder = find_checkpoint(checkpoint)
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(
            f"--from {checkpoint} is not a checkpoint of mf, which has a {WEIGHTS}: {_NAME}"
        )
    tensors, config = load_checkpoint(folder)
    if config.get("router") != "mf":
        raise ConfigError(
            f"--from {checkpoint} is a checkpoint of {config.get('router') or 'another router'}: "
            f"{_NAME}"
        )
    require_tensors(folder, tensors, TENSORS)
    router = MatrixFactorizationRouter.from_pretrained(folder)
    trained = EmbeddingCheckpoint.of("mf", folder, tensors, config, None)
    return Base(trained, tensors, router)
