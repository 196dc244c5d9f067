"""Matrix factorization: a vector per model, multiplied with a projection of the prompt.

    score(M, q) = w2 . (v_M * (W1 x_q + b))
    P(strong wins | q) = sigmoid(score(strong, q) - score(weak, q))

(Ong et al., RouteLLM, arXiv 2406.18665, section 4.2). x_q is the prompt's embedding followed by
its surface features, standardised. For one pair of models all of it is a single linear
function of the features, which is what is kept in memory.

The original release has no surface features, no b, and vectors v_M that count at length 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import (
    CONFIG,
    WEIGHTS,
    Tensors,
    find_checkpoint,
    load_checkpoint,
    require_settings,
    require_tensors,
)
from ...contracts import Encoder, Router
from ...encoders.openai import OpenAIEncoder
from ...encoders.surface import SURFACE_DIM, SURFACE_VERSION
from ...encoders.with_surface import WithSurface
from ...errors import CheckpointError, ConfigError, did_you_mean
from ...registry.loading import described_encoder
from ...rules.share import quantiles_of
from .released import RELEASED_MODELS

TENSORS = (
    "P.weight",
    "text_proj.0.weight",
    "text_proj.0.bias",
    "classifier.0.weight",
    "features.mean",
    "features.scale",
    "traffic.features",
)
"""The tensors of a checkpoint; the first, second and fourth are named as in the original
release. Shapes for K models, rank d and D features: (K, d), (d, D), (d,), (1, d), (D,), (D,),
and (n, D) for the standardised features of n prompts that stand for usual traffic."""

SETTINGS: dict[str, type | tuple[type, ...]] = {
    "encoder": (str, dict),
    "encoder_fingerprint": str,
    "surface_version": int,
    "models": list,
    "strong_model": str,
    "weak_model": str,
}
"""What the configuration of a checkpoint says, and of what kind it is."""

RELEASED_TENSORS = ("P.weight", "text_proj.0.weight", "classifier.0.weight")
"""The tensors of a checkpoint of the original release, of shapes (K, d), (d, D) and (1, d)."""


class MatrixFactorizationRouter(Router):
    """Win rates from an embedding and, usually, surface features, in one small product.

    Only the first 16,384 characters of a prompt count, or fewer if the encoder reads fewer.

    Args:
        encoder: turns prompts into vectors.
        weights: of the elements of a vector, shape (encoder.dim,).
        intercept: added to the weighted sum; the sigmoid of that is the win rate.
        score_quantiles: of the scores over usual traffic, or None.
    """

    def __init__(
        self,
        encoder: Encoder,
        weights: NDArray[np.float64],
        intercept: float,
        score_quantiles: NDArray[np.float64] | None = None,
    ) -> None:
        self.encoder = encoder
        self.instant = encoder.instant
        self._weights = weights
        self._intercept = intercept
        self._score_quantiles = score_quantiles

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: str = "mf",
        *,
        strong_model: str | None = None,
        weak_model: str | None = None,
    ) -> MatrixFactorizationRouter:
        """Load a checkpoint of ``routellm train mf``, or one of the original release.

        The latter (``P.weight``, ``text_proj.0.weight``, ``classifier.0.weight``) is read with the
        encoder ``openai``, text-embedding-3-small, and was never calibrated.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            strong_model: the strong reference model, one that the checkpoint was trained on;
                None for the checkpoint's own, in the original release gpt-4-1106-preview.
            weak_model: the weak one, likewise, in the release mixtral-8x7b-instruct-v0.1.

        Raises:
            CheckpointError: it is missing or damaged, or its encoder is another one.
            ConfigError: it does not know a reference model.
        """
        folder = find_checkpoint(checkpoint)
        tensors, config = load_checkpoint(folder)
        if "text_dim" in config:
            return cls._released(folder, tensors, strong_model, weak_model)
        require_tensors(folder, tensors, TENSORS)
        require_settings(folder, config, SETTINGS)
        encoder = described_encoder(config["encoder"])
        fingerprint, surface = config["encoder_fingerprint"], config["surface_version"]
        models, default_pair = config["models"], (config["strong_model"], config["weak_model"])
        if (encoder.fingerprint, SURFACE_VERSION) != (fingerprint, surface):
            raise CheckpointError(
                f"{folder} was trained on the features of encoder {fingerprint} and surface "
                f"version {surface}; here they are {encoder.fingerprint} and {SURFACE_VERSION}: "
                "train it again with `routellm train mf`, or install what it was trained with"
            )
        if not _consistent(tensors, len(models), encoder.dim + SURFACE_DIM):
            raise CheckpointError(
                f"{folder / WEIGHTS} is damaged: the tensors' shapes do not fit {CONFIG}: "
                "restore the folder, or train it again"
            )
        strong = _row("strong_model", strong_model or default_pair[0], models)
        weak = _row("weak_model", weak_model or default_pair[1], models)
        weights, intercept = fold(tensors, strong, weak)
        traffic = tensors["traffic.features"].astype(np.float64)
        raw_weights = weights * tensors["features.scale"]
        raw_intercept = intercept - float(raw_weights @ tensors["features.mean"])
        return cls(
            WithSurface(encoder),
            raw_weights,
            raw_intercept,
            quantiles_of(sigmoid(traffic @ weights + intercept)) if len(traffic) else None,
        )

    @classmethod
    def _released(
        cls, folder: Path, tensors: Tensors, strong_model: str | None, weak_model: str | None
    ) -> MatrixFactorizationRouter:
        require_tensors(folder, tensors, RELEASED_TENSORS)
        encoder = OpenAIEncoder()
        models, projection, classifier = (tensors[name] for name in RELEASED_TENSORS)
        shapes = (len(RELEASED_MODELS), len(projection)), (len(projection), encoder.dim)
        if (models.shape, projection.shape) != shapes or classifier.shape != (1, len(projection)):
            raise CheckpointError(
                f"{folder / WEIGHTS} is not the release's: its tensors {RELEASED_TENSORS} have "
                f"shapes {models.shape}, {projection.shape} and {classifier.shape}, where "
                f"({len(RELEASED_MODELS)}, d), (d, {encoder.dim}) and (1, d) are expected"
            )
        lengths = np.linalg.norm(models.astype(np.float64), axis=1, keepdims=True)
        weights, intercept = fold(
            {
                **tensors,
                "P.weight": models / lengths,
                "text_proj.0.bias": np.zeros(len(projection)),
            },
            _row("strong_model", strong_model or "gpt-4-1106-preview", RELEASED_MODELS),
            _row("weak_model", weak_model or "mixtral-8x7b-instruct-v0.1", RELEASED_MODELS),
        )
        if not np.isfinite(weights).all():
            raise CheckpointError(f"{folder / WEIGHTS} is damaged: it holds NaN; restore it")
        return cls(encoder, weights, intercept)

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1]."""
        return self.score_embeddings(self.encoder.encode(prompts))

    def score_embeddings(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Args:
            vectors: of each prompt, as ``self.encoder`` makes them, shape (n, encoder.dim).
        """
        return sigmoid(vectors @ self._weights + self._intercept)

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's sample of usual traffic."""
        return self._score_quantiles

    @property
    def fingerprint(self) -> str:
        """Digest of the folded weights, with the names of the features they apply to."""
        digest = hashlib.sha256(self._weights.tobytes() + np.float64(self._intercept).tobytes())
        return f"mf:{digest.hexdigest()}:{self.encoder.fingerprint}"


def fold(tensors: Tensors, strong: int, weak: int) -> tuple[NDArray[np.float64], float]:
    """Return weights (D,) and intercept of the logit over standardised features.

    Args:
        tensors: as in ``TENSORS``.
        strong: row of the strong model.
        weak: row of the weak model.
    """
    models = tensors["P.weight"].astype(np.float64)
    difference = tensors["classifier.0.weight"][0] * (models[strong] - models[weak])
    return (
        difference @ tensors["text_proj.0.weight"].astype(np.float64),
        float(difference @ tensors["text_proj.0.bias"]),
    )


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    win_rates: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return win_rates


def _consistent(tensors: Tensors, models: int, features: int) -> bool:
    rank = tensors["text_proj.0.weight"].shape[0]
    shapes = [tensors[name].shape for name in TENSORS[:-1]]
    expected = [(models, rank), (rank, features), (rank,), (1, rank), (features,), (features,)]
    finite = all(np.isfinite(tensors[name]).all() for name in TENSORS)
    return shapes == expected and tensors[TENSORS[-1]].shape[1:] == (features,) and finite


def _row(option: str, model: str, models: Any) -> int:
    if model not in models:
        raise ConfigError(
            f"{option} '{model}' is not in the checkpoint: {did_you_mean(model, models)}"
        )
    return int(models.index(model))
