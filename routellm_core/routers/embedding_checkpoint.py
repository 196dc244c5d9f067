"""What the checkpoints of mf and sw_ranking share: an encoder, models, and a reference pair."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import CONFIG, WEIGHTS, Tensors, require_settings
from ..contracts import Encoder
from ..encoders.openai import OpenAIEncoder
from ..encoders.surface import SURFACE_VERSION
from ..encoders.with_surface import WithSurface
from ..errors import CheckpointError, ConfigError
from ..openai_client import BASE_URL
from ..registry.loading import described_encoder
from .abilities import checked_pair, pair_abilities

SETTINGS: dict[str, type | tuple[type, ...]] = {
    "encoder": (str, dict),
    "encoder_fingerprint": str,
    "surface_version": int,
    "models": list,
    "strong_model": str,
    "weak_model": str,
}
"""The settings in the configuration of each such checkpoint, with their types."""

RELEASED_PAIR = ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1")
"""The strong and the weak reference model of the original release."""

OUTCOMES = "outcomes"
"""Value of the setting ``link`` in the configuration of a checkpoint that was trained on the
outcomes of many models."""

_CONNECTION = ("base_url", "api_key_env")
"""Options of an encoder that say where prompts and keys are sent."""


@dataclass(frozen=True)
class EmbeddingCheckpoint:
    """A checkpoint of ``routellm train`` whose router reads embeddings and surface features."""

    folder: Path
    tensors: Tensors
    config: Mapping[str, Any]
    encoder: Encoder
    """Gives embeddings followed by surface features."""

    @classmethod
    def of(
        cls,
        router: str,
        folder: Path,
        tensors: Tensors,
        config: Mapping[str, Any],
        encoder: Encoder | None,
    ) -> EmbeddingCheckpoint:
        """Return what was read from a folder, with the encoder that it was trained on.

        Args:
            router: name of the router that the checkpoint must be for.
            folder: the checkpoint's folder.
            tensors: its tensors.
            config: its configuration.
            encoder: makes the embeddings. None: the encoder that the configuration describes.

        Raises:
            CheckpointError: a setting is missing, or the checkpoint was trained on other features.
            ConfigError: the configuration describes an unknown encoder, or one on a server that
                the environment does not name.
        """
        require_settings(folder, config, SETTINGS)
        encoder = encoder or _described(folder, config["encoder"])
        trained_on = config["encoder_fingerprint"], config["surface_version"]
        if (encoder.fingerprint, SURFACE_VERSION) != trained_on:
            raise CheckpointError(
                f"{folder} was trained on the features of encoder {trained_on[0]} and surface "
                f"version {trained_on[1]}; here they are {encoder.fingerprint} and "
                f"{SURFACE_VERSION}: train it again with `routellm train {router}`, or install "
                "what it was trained with"
            )
        return cls(folder, tensors, config, WithSurface(encoder))

    def pair(self, strong_model: str | None, weak_model: str | None) -> tuple[str, str]:
        """Return the reference pair: the models given, or else the checkpoint's own.

        Raises:
            ConfigError: the checkpoint does not know a model, or both are the same.
        """
        strong = strong_model or self.config["strong_model"]
        weak = weak_model or self.config["weak_model"]
        return checked_pair(strong, weak, self.config["models"])

    def pair_abilities(
        self,
        known: NDArray[np.float64],
        names: tuple[str | None, str | None],
        abilities: tuple[float | None, float | None],
    ) -> tuple[float, float]:
        """Return the abilities of the strong and the weak model, in a checkpoint that was trained
        on the outcomes of many models.

        Args:
            known: abilities of the checkpoint's models in logits, shape (K,).
            names: names of the strong and the weak model; None for the checkpoint's defaults.
            abilities: abilities of the two in logits, instead of their names; None to use the
                ability of the named model.

        Raises:
            ConfigError: a model is unknown, both are the same, one tier has both a name and an
                ability, or the strong model's ability is not the higher one.
        """
        default = self.config["strong_model"], self.config["weak_model"]
        return pair_abilities(self.config["models"], known, default, names, abilities)

    def pair_vectors(
        self,
        known: NDArray[np.float64],
        names: tuple[str | None, str | None],
        abilities: tuple[float | None, float | None],
    ) -> NDArray[np.float64]:
        """Return the vectors of the strong and the weak model, shape (2, d), in a checkpoint whose
        vectors are a model's ability, 1 and its specialities: of a model that is not named but for
        its ability, zeros.

        Args:
            known: vectors of the checkpoint's models, shape (K, d).
            names: as ``pair_abilities`` takes them, and so is the next.
            abilities: of the two.

        Raises:
            ConfigError: as ``pair_abilities`` does.
        """
        models, default = (
            self.config["models"],
            (self.config["strong_model"], self.config["weak_model"]),
        )
        vectors = np.zeros((2, known.shape[1]))
        vectors[:, 0] = self.pair_abilities(known[:, 0], names, abilities)
        vectors[:, 1] = 1.0
        for at, ability in enumerate(abilities):
            if ability is None:
                vectors[at, 2:] = known[models.index(names[at] or default[at]), 2:]
        return vectors

    def without_abilities(self, abilities: tuple[float | None, float | None]) -> None:
        """Refuse abilities for a checkpoint that was trained on one pair.

        Raises:
            ConfigError: an ability is given.
        """
        if abilities != (None, None):
            raise ConfigError(
                f"{self.folder} was not trained on the outcomes of many models, so it has no "
                "scale of abilities: name strong_model and weak_model"
            )

    def damaged(self) -> CheckpointError:
        """Return the error for tensors that do not fit the configuration."""
        return CheckpointError(
            f"{self.folder / WEIGHTS} is damaged: the tensors' shapes or numbers do not fit "
            f"{CONFIG}: restore the folder, or train it again"
        )


def released_encoder(encoder: Encoder | None) -> Encoder:
    """Return the encoder of the original release, unless one is given."""
    return OpenAIEncoder("text-embedding-3-small") if encoder is None else encoder


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    win_rates: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return win_rates


def _described(folder: Path, described: Any) -> Encoder:
    """Return the encoder that a checkpoint describes.

    A checkpoint may come from anyone, so it cannot choose where prompts and keys are sent: that is
    up to the environment.
    """
    if isinstance(described, dict):
        server = described.get("base_url")
        if server and os.environ.get(BASE_URL, "").rstrip("/") != str(server).rstrip("/"):
            raise ConfigError(
                f"{folder} was trained on embeddings from the server {server}: set {BASE_URL} to "
                "that address to have prompts sent there"
            )
        described = {key: value for key, value in described.items() if key not in _CONNECTION}
    return described_encoder(described)
