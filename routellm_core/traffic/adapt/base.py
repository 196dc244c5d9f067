"""The router that labels move: an mf checkpoint, as a linear function of standardised features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import (
    Checkpoint,
    Tensors,
    find_checkpoint,
    load_checkpoint,
    require_tensors,
)
from ...encoders.surface import SURFACE_DIM
from ...errors import ConfigError
from ...routers.embedding_checkpoint import OUTCOMES, EmbeddingCheckpoint
from ...routers.mf.router import TENSORS, MatrixFactorizationRouter, fold

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Base:
    """What is known before any label."""

    trained: EmbeddingCheckpoint
    tensors: Tensors
    router: MatrixFactorizationRouter
    weights: Floats
    """Of a logit over standardised features, shape (D,), which orders prompts as ``router`` does
    over usual traffic."""

    @property
    def folder(self) -> Path:
        """Folder of the checkpoint."""
        return self.trained.folder

    @property
    def embedding(self) -> int:
        """How many of the features, the first ones, are the embedding's."""
        return len(self.weights) - SURFACE_DIM

    def raw(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return the features of prompts as the encoder makes them, shape (n, D)."""
        return self.trained.encoder.encode(prompts)

    def standardised(self, raw: NDArray[np.float32]) -> Floats:
        """Return the same as the weights take them, shape (n, D)."""
        mean, scale = self.tensors["features.mean"], self.tensors["features.scale"]
        features: Floats = ((raw - mean) * scale).astype(np.float64)
        return features


def read_base(checkpoint: Checkpoint) -> Base:
    """Return the router to start from.

    Args:
        checkpoint: a bundled name, a folder or a Hugging Face id.

    Raises:
        CheckpointError: it is missing or damaged.
        ConfigError: it is the checkpoint of another router than mf.
    """
    folder = find_checkpoint(checkpoint)
    tensors, config = load_checkpoint(folder)
    if config.get("router") != "mf":
        raise ConfigError(
            f"--from {checkpoint} is a checkpoint of {config.get('router') or 'another router'}: "
            "name one that `routellm train mf` or `routellm adapt` wrote, or the bundled mf"
        )
    require_tensors(folder, tensors, TENSORS)
    router = MatrixFactorizationRouter.from_pretrained(folder)
    trained = EmbeddingCheckpoint.of("mf", folder, tensors, config, None)
    if config.get("link") != OUTCOMES:
        models: list[str] = config["models"]
        weights, _ = fold(
            tensors, models.index(config["strong_model"]), models.index(config["weak_model"])
        )
        return Base(trained, tensors, router, weights)
    # Every model's score falls with the one difficulty that was learned.
    harder = -(tensors["classifier.0.weight"][0, 1] * tensors["text_proj.0.weight"][1])
    weights = harder.astype(np.float64)
    usual = tensors["traffic.features"].astype(np.float64)
    if len(usual):
        raw = usual / np.where(tensors["features.scale"] == 0, 1, tensors["features.scale"])
        rates = router.score_embeddings((raw + tensors["features.mean"]).astype(np.float32))
        if float((usual @ weights) @ (rates - rates.mean())) < 0:
            weights = -weights
    return Base(trained, tensors, router, weights)
