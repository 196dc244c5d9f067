"""Matrix factorization: a vector per model, multiplied with a projection of the prompt.

    score(M, q) = w2 . (v_M * (W1 x_q + b))
    P(strong wins | q) = sigmoid(score(strong, q) - score(weak, q))

(Ong et al., RouteLLM, arXiv 2406.18665, section 4.2). A checkpoint that was trained on the
outcomes of many models estimates how likely each model is right, sigmoid(score(M, q)), and a
prompt's contrast, from which ``item_response`` makes the win rate. There v_M is the model's
ability, 1 for the prompt's difficulty, and what the model is better at than its ability says.

x_q is the prompt's embedding followed by its surface features, standardised. For one pair of
models these are one or three linear functions of the features, and only those are kept in memory.

The original release has no surface features and no b, and scales each v_M to length 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import (
    WEIGHTS,
    Checkpoint,
    Tensors,
    check_router,
    find_checkpoint,
    load_checkpoint,
    require_tensors,
)
from ...contracts import Encoder, Router
from ...errors import CheckpointError, ConfigError
from ...rules.share import quantiles_of
from ..abilities import checked_pair
from ..embedding_checkpoint import (
    OUTCOMES,
    RELEASED_PAIR,
    EmbeddingCheckpoint,
    released_encoder,
    sigmoid,
)
from ..item_response import win_rate
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

CONTRAST_TENSORS = ("contrast.weight", "contrast.bias")
"""Those that a checkpoint has besides if it was trained on the outcomes of many models, of shapes
(D,) and (1,)."""

RELEASED_TENSORS = ("P.weight", "text_proj.0.weight", "classifier.0.weight")
"""The tensors of a checkpoint of the original release, of shapes (K, d), (d, D) and (1, d)."""


class MatrixFactorizationRouter(Router):
    """Win rates from an embedding and, usually, surface features, in one small product.

    Of a prompt of more than 16,384 characters the beginning and the end count, or less of both if
    the encoder reads less.

    Args:
        encoder: turns prompts into feature vectors.
        weights: weights of the features: shape (encoder.dim,) for the difference of the two
            models' scores, or (encoder.dim, 3) for the score of the strong model, the score of
            the weak model and the contrast.
        intercept: added to the weighted sums: a number, or shape (3,).
        score_quantiles: quantiles of the scores over usual traffic, or None.
        difficulty: weights and intercept of a prompt's difficulty in logits, if ``weights`` has
            three columns.
    """

    def __init__(
        self,
        encoder: Encoder,
        weights: NDArray[np.float64],
        intercept: float | NDArray[np.float64],
        score_quantiles: NDArray[np.float64] | None = None,
        difficulty: tuple[NDArray[np.float64], float] | None = None,
    ) -> None:
        self.encoder = encoder
        self.instant = encoder.instant
        self._weights = weights
        self._intercept = intercept
        self._score_quantiles = score_quantiles
        self._difficulty = difficulty

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: Checkpoint = "mf",
        *,
        encoder: Encoder | None = None,
        strong_model: str | None = None,
        weak_model: str | None = None,
        strong_ability: float | None = None,
        weak_ability: float | None = None,
    ) -> MatrixFactorizationRouter:
        """Load a checkpoint of ``routellm train mf``, or one of the original release.

        The latter (``P.weight``, ``text_proj.0.weight``, ``classifier.0.weight``) is read with the
        encoder ``openai``, text-embedding-3-small, and was never calibrated.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            encoder: the encoder that the checkpoint was trained with. None: load the one that
                the checkpoint describes.
            strong_model: name of the strong reference model, among those that the checkpoint was
                trained on; None for the checkpoint's default, which is gpt-4-1106-preview in the
                original release.
            weak_model: name of the weak one; the default of the original release is
                mixtral-8x7b-instruct-v0.1.
            strong_ability: ability of the strong model, instead of its name: in logits, on the
                scale of the checkpoint's card. Only for checkpoints trained on outcomes.
            weak_ability: ability of the weak model, likewise.

        Raises:
            CheckpointError: the checkpoint is missing or damaged, or was trained with another
                encoder.
            ConfigError: a reference model is unknown, both are the same, an ability is given
                together with a name or for a checkpoint without abilities, or the strong model's
                ability is not the higher one.
        """
        folder = find_checkpoint(checkpoint)
        check_router(folder, "mf")
        tensors, config = load_checkpoint(folder)
        if "text_dim" in config:
            return cls._released(folder, tensors, encoder, strong_model, weak_model)
        require_tensors(folder, tensors, TENSORS)
        trained = EmbeddingCheckpoint.of("mf", folder, tensors, config, encoder)
        models: list[str] = config["models"]
        if not _consistent(tensors, len(models), trained.encoder.dim):
            raise trained.damaged()
        abilities = (strong_ability, weak_ability)
        weights: NDArray[np.float64]
        intercept: float | NDArray[np.float64]
        hard: NDArray[np.float64] | None = None
        if config.get("link") == OUTCOMES:
            known = tensors["P.weight"].astype(np.float64)
            require_tensors(folder, tensors, CONTRAST_TENSORS)
            shapes = [tensors[name].shape for name in CONTRAST_TENSORS]
            if known.shape[1] < 2 or shapes != [(trained.encoder.dim,), (1,)]:
                raise trained.damaged()
            vectors = trained.pair_vectors(known, (strong_model, weak_model), abilities)
            weights, intercept = _functions(tensors, vectors)
            hard = -tensors["text_proj.0.weight"][1].astype(np.float64)
        else:
            trained.without_abilities(abilities)
            strong, weak = trained.pair(strong_model, weak_model)
            weights, intercept = fold(tensors, models.index(strong), models.index(weak))
        traffic = tensors["traffic.features"].astype(np.float64)
        scores = _win_rates(traffic @ weights + intercept)
        scale, mean = tensors["features.scale"], tensors["features.mean"]
        raw_weights = (weights.T * scale).T
        raw_hard = None if hard is None else hard * scale
        return cls(
            trained.encoder,
            raw_weights,
            intercept - mean @ raw_weights,
            quantiles_of(scores) if len(scores) else None,
            None if raw_hard is None else (raw_hard, -float(mean @ raw_hard)),
        )

    @classmethod
    def _released(
        cls,
        folder: Path,
        tensors: Tensors,
        encoder: Encoder | None,
        strong_model: str | None,
        weak_model: str | None,
    ) -> MatrixFactorizationRouter:
        require_tensors(folder, tensors, RELEASED_TENSORS)
        encoder = released_encoder(encoder)
        models, projection, classifier = (tensors[name] for name in RELEASED_TENSORS)
        shapes = (len(RELEASED_MODELS), len(projection)), (len(projection), encoder.dim)
        if (models.shape, projection.shape) != shapes or classifier.shape != (1, len(projection)):
            raise CheckpointError(
                f"{folder / WEIGHTS} is not the release's: its tensors {RELEASED_TENSORS} have "
                f"shapes {models.shape}, {projection.shape} and {classifier.shape}, where "
                f"({len(RELEASED_MODELS)}, d), (d, {encoder.dim}) and (1, d) are expected"
            )
        strong, weak = checked_pair(
            strong_model or RELEASED_PAIR[0], weak_model or RELEASED_PAIR[1], RELEASED_MODELS
        )
        lengths = np.linalg.norm(models.astype(np.float64), axis=1, keepdims=True)
        weights, intercept = fold(
            {
                **tensors,
                "P.weight": models / lengths,
                "text_proj.0.bias": np.zeros(len(projection)),
            },
            RELEASED_MODELS.index(strong),
            RELEASED_MODELS.index(weak),
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
            vectors: vectors of the prompts from ``self.encoder``, shape (n, encoder.dim).
        """
        if len(vectors) == 1:
            return _win_rates(vectors @ self._weights + self._intercept)
        # One product for each, here and below: BLAS and numpy's tanh round by how many rows there
        # are, and a prompt's score must not depend on those beside it.
        values = np.empty((len(vectors), *self._weights.shape[1:]))
        for at in range(len(vectors)):
            values[at : at + 1] = vectors[at : at + 1] @ self._weights
        return _win_rates(values + self._intercept)

    def tell(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return difficulty and contrast of each prompt: shape (n, 2).

        Raises:
            ConfigError: the checkpoint was trained on one pair, so it knows only its win rate.
        """
        if self._difficulty is None:
            raise ConfigError(
                "this checkpoint of 'mf' was trained on one pair, so it has no difficulty: "
                "train one with learn: outcomes"
            )
        vectors = self.encoder.encode(prompts)
        weights, intercept = self._difficulty
        contrast = (vectors @ self._weights + self._intercept)[:, 2]
        return np.stack([vectors @ weights + intercept, contrast], axis=1)

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's sample of usual traffic."""
        return self._score_quantiles

    @property
    def fingerprint(self) -> str:
        """Digest of the folded weights, with the names of the features they apply to."""
        digest = hashlib.sha256(self._weights.tobytes() + np.asarray(self._intercept).tobytes())
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


def _win_rates(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the strong win rates, shape (n,), of their logits, shape (n,), or of the three
    functions, shape (n, 3).
    """
    if values.ndim == 1:
        return sigmoid(values)
    return np.array([win_rate(*row) for row in values.tolist()])


def _functions(
    tensors: Tensors, vectors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score of each of two model vectors, and the contrast, as functions of
    standardised features: weights (D, 3) and intercepts (3,).
    """
    scaled = vectors * tensors["classifier.0.weight"][0]
    projection = tensors["text_proj.0.weight"].astype(np.float64)
    bias = tensors["text_proj.0.bias"].astype(np.float64)
    contrast = tensors["contrast.weight"].astype(np.float64)
    weights = np.vstack([scaled @ projection, contrast]).T
    return weights, np.append(scaled @ bias, tensors["contrast.bias"])


def _consistent(tensors: Tensors, models: int, features: int) -> bool:
    rank = tensors["text_proj.0.weight"].shape[0]
    shapes = [tensors[name].shape for name in TENSORS[:-1]]
    expected = [(models, rank), (rank, features), (rank,), (1, rank), (features,), (features,)]
    finite = all(np.isfinite(tensor).all() for tensor in tensors.values())
    return shapes == expected and tensors[TENSORS[-1]].shape[1:] == (features,) and finite
