"""Similarity-weighted ranking: who beat whom, on prompts like this one.

    S_i = cos(x_q, x_i) / max_j cos(x_q, x_j),    w_i = g * g^S_i
    P(strong wins | q) = sigmoid(strength of strong's tier - strength of weak's)

with the strengths of a Bradley-Terry model of tiers, in which battle i counts w_i times (Ong et
al., RouteLLM, arXiv 2406.18665, section 4.2). The likelihood depends on the wins between tiers
alone, so the weights are added up to a small matrix first, and that is fitted.

A checkpoint that was trained on the outcomes of many models holds how hard each prompt was for
them, and its contrast. For a pair of abilities each prompt becomes one battle, whose result is the
expected one, by ``item_response``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import (
    Checkpoint,
    check_router,
    find_checkpoint,
    load_checkpoint,
    require_settings,
    require_tensors,
)
from ...contracts import Encoder, Router
from ...encoders.with_surface import Projected
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
from .bradley_terry import fit_strengths, tiers_of
from .directions import Directions
from .tally import Battles, cells_of, left_out
from .tensors import OUTCOME_TENSORS, TENSORS, consistent, consistent_outcomes

RELEASED_BATTLES, RELEASED_EMBEDDINGS = "battles.jsonl", "battle_embeddings.npy"
"""The files with the data of the original release, each with a row for each battle."""

_QUERIES = 64
"""Prompts whose similarities are held at a time."""

_SEGMENT = 2_000
"""Most battles added up in one product: see ``directions`` on large products."""


class SWRankingRouter(Router):
    """Win rates from the battles on prompts that resemble this one.

    The encoder determines how much of a prompt is read. Thread-safe.

    Args:
        battles: rows as for ``Battles.of``, or columns.
        embeddings: the vector of each battle's prompt, shape (n, dim). Only directions count, not
            lengths. Vectors of int8, float16 or float32 are not copied if the battles are in the
            order of ``order_of``.
        strong_model: name of the strong reference model, among the battles' models.
        weak_model: name of the weak one, likewise.
        num_tiers: maximum number of tiers that the models are grouped into.
        compat: reproduce a bug of RouteLLM's released code, in which each battle within a tier
            pulls that tier towards Elo 1000. Otherwise such battles are left out.
        gamma: base g of the weights: a battle on the nearest prompt counts g times as much as one
            on a prompt whose vector is orthogonal. The paper uses 10.
        encoder: makes vectors like ``embeddings``; without it, only vectors can be scored.
        traffic: vectors of a sample of usual traffic, shape (m, dim), whose scores give the
            router's quantiles; None if there is no sample.

    Raises:
        ConfigError: a reference model is unknown, both are the same or in one tier, or shapes or
            numbers do not match.
        DataError: a battle is invalid.
    """

    def __init__(
        self,
        battles: Battles | Iterable[Mapping[str, Any]],
        embeddings: NDArray[Any],
        *,
        strong_model: str,
        weak_model: str,
        num_tiers: int = 10,
        compat: bool = False,
        gamma: float = 10.0,
        encoder: Encoder | None = None,
        traffic: NDArray[Any] | None = None,
    ) -> None:
        columns = battles if isinstance(battles, Battles) else Battles.of(battles)
        _check(columns, embeddings, num_tiers, gamma)
        checked_pair(strong_model, weak_model, columns.models, "in no battle")
        tiers = tiers_of(columns.strengths(), num_tiers)
        self.tiers = dict(zip(columns.models, tiers.tolist(), strict=True))
        """The tier of each model; 0 is the strongest."""
        self._strong, self._weak = self.tiers[strong_model], self.tiers[weak_model]
        if self._strong == self._weak:
            raise ConfigError(
                f"'{strong_model}' and '{weak_model}' are both in tier {self._strong}, so "
                "every prompt would get the win rate 0.5: name models further apart, or set a "
                "larger num_tiers"
            )
        cell, p_one = cells_of(columns, tiers, num_tiers, compat)
        order = np.argsort(cell, kind="stable")[: int((cell < left_out(num_tiers)).sum())]
        in_order = bool((order == np.arange(len(order))).all())
        self._directions = Directions(embeddings[: len(order)] if in_order else embeddings[order])
        cells, starts = np.unique(cell[order], return_index=True)
        self._players = num_tiers + 1
        self._one, self._other = np.divmod(cells, self._players)
        self._ends = np.append(starts, len(order))[1:]
        self._segments = [
            slice(at, min(at + _SEGMENT, end))
            for start, end in zip(starts.tolist(), self._ends.tolist(), strict=True)
            for at in range(start, end, _SEGMENT)
        ]
        self._first_segments = np.searchsorted([part.start for part in self._segments], starts)
        results = np.stack([columns.weight * p_one, columns.weight * (1 - p_one)])
        self._results = np.ascontiguousarray(results[:, order], np.float64)
        """Wins of the one and of the other, shape (2, n)."""
        self._usual = fit_strengths(self._wins(np.ones((len(order), 1))))
        """The strengths by all battles alike, near those of any prompt: shape (1, tiers)."""
        self._sharpness = np.float32(math.log(gamma))
        self.encoder = encoder
        self.instant = encoder is not None and encoder.instant and self._directions.instant
        self._traffic = traffic

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: Checkpoint = "sw_ranking",
        *,
        encoder: Encoder | None = None,
        strong_model: str | None = None,
        weak_model: str | None = None,
        strong_ability: float | None = None,
        weak_ability: float | None = None,
    ) -> SWRankingRouter:
        """Load a checkpoint of ``routellm train sw_ranking``, or the data of the original release.

        The latter is a folder with ``battles.jsonl`` and ``battle_embeddings.npy``, read with the
        encoder ``openai``, text-embedding-3-small, and never calibrated.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            encoder: the encoder that the checkpoint was trained with. None: load the one that
                the checkpoint describes.
            strong_model: name of the strong reference model, among those with battles in the
                checkpoint; None for the checkpoint's default, which is gpt-4-1106-preview in the
                original release.
            weak_model: name of the weak one; the default of the original release is
                mixtral-8x7b-instruct-v0.1.
            strong_ability: ability of the strong model, instead of its name: in logits, on the
                scale of the checkpoint's card. Only for checkpoints trained on outcomes.
            weak_ability: ability of the weak model, likewise.

        Raises:
            CheckpointError: the checkpoint is missing or damaged, or was trained with another
                encoder.
            ConfigError: a reference model is unknown, both are the same or in one tier, an ability
                is given together with a name or for a checkpoint without abilities, or the strong
                model's ability is not the higher one.
        """
        folder = find_checkpoint(checkpoint)
        check_router(folder, "sw_ranking")
        if (folder / RELEASED_BATTLES).is_file():
            return cls._released(folder, encoder, strong_model, weak_model)
        tensors, config = load_checkpoint(folder)
        of_outcomes = config.get("link") == OUTCOMES
        require_tensors(folder, tensors, OUTCOME_TENSORS if of_outcomes else TENSORS)
        require_settings(folder, config, {"num_tiers": int, "gamma": (int, float)})
        trained = EmbeddingCheckpoint.of("sw_ranking", folder, tensors, config, encoder)
        models: list[str] = config["models"]
        fits = consistent_outcomes if of_outcomes else consistent
        if not fits(tensors, len(models), trained.encoder.dim):
            raise trained.damaged()
        abilities = (strong_ability, weak_ability)
        if of_outcomes:
            known = tensors["ability"].astype(np.float64)
            pair = trained.pair_abilities(known, (strong_model, weak_model), abilities)
            battles = Battles.of_items(
                tensors["difficulty"], tensors["contrast"], tensors["weight"], *pair
            )
            strong, weak = battles.models
        else:
            trained.without_abilities(abilities)
            strong, weak = trained.pair(strong_model, weak_model)
            battles = Battles(
                models,
                tensors["first"].astype(np.int64),
                tensors["second"].astype(np.int64),
                tensors["p_first"].astype(np.float64),
                tensors["weight"].astype(np.float64),
            )
        return cls(
            battles,
            tensors["vectors"],
            strong_model=strong,
            weak_model=weak,
            num_tiers=config["num_tiers"],
            gamma=config["gamma"],
            encoder=Projected(
                trained.encoder, tensors["features.mean"], tensors["features.projection"]
            ),
            traffic=tensors["traffic"],
        )

    @classmethod
    def _released(
        cls,
        folder: Path,
        encoder: Encoder | None,
        strong_model: str | None,
        weak_model: str | None,
    ) -> SWRankingRouter:
        path = folder / RELEASED_BATTLES
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            path = folder / RELEASED_EMBEDDINGS
            embeddings = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}): restore it") from error
        encoder = released_encoder(encoder)
        if embeddings.shape != (len(rows), encoder.dim):
            raise CheckpointError(
                f"{path} has shape {embeddings.shape}, where ({len(rows)}, {encoder.dim}) is "
                f"expected: a row of {encoder.fingerprint} for each battle"
            )
        return cls(
            rows,
            embeddings,
            strong_model=strong_model or RELEASED_PAIR[0],
            weak_model=weak_model or RELEASED_PAIR[1],
            encoder=encoder,
        )

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ConfigError: the router has no encoder.
        """
        if self.encoder is None:
            raise ConfigError(
                "this router has no encoder: give one as encoder=, or call score_embeddings"
            )
        return self.score_embeddings(self.encoder.encode(prompts))

    def score_embeddings(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Args:
            vectors: vectors of the prompts, made like those of the battles, shape (n, dim). Their
                lengths do not matter.
        """
        strengths = self.tier_strengths(vectors)
        return sigmoid(strengths[:, self._strong] - strengths[:, self._weak])

    def tier_strengths(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Return the strength of each tier on each prompt, in logits.

        Args:
            vectors: as for ``score_embeddings``.

        Returns:
            Shape (n, num_tiers + 1); the last column is the anchor of ``compat``.
        """
        strengths = np.empty((len(vectors), self._players))
        for start in range(0, len(vectors), _QUERIES):
            strengths[start : start + _QUERIES] = self._fit(vectors[start : start + _QUERIES])
        return strengths

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's sample of usual traffic."""
        return self._quantiles

    @cached_property
    def _quantiles(self) -> NDArray[np.float64] | None:
        # On first use: it takes hundreds of scores, and only strong_share needs them.
        if self._traffic is None or not len(self._traffic):
            return None
        return quantiles_of(self.score_embeddings(self._traffic))

    @property
    def fingerprint(self) -> str | None:
        """Digest of battles and vectors, with the encoder's name."""
        if self.encoder is None:
            return None
        digest = hashlib.sha256(f"{self._strong} {self._weak} {self._sharpness}".encode())
        battles = self._results, self._one, self._other, self._ends
        for array in (*battles, self._directions.vectors):
            digest.update(np.ascontiguousarray(array).data)
        return f"sw_ranking:{digest.hexdigest()}:{self.encoder.fingerprint}"

    def _fit(self, queries: NDArray[Any]) -> NDArray[np.float64]:
        """Return the strengths of the tiers, as ``tier_strengths`` does."""
        weights = self._weights(self._directions.cosines(queries))
        return fit_strengths(self._wins(weights), self._usual)

    def _wins(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Return how often each tier beat each, of weights of shape (n, m): (m, tiers, tiers)."""
        # In float64: products of one query and of many add up in different orders.
        totals = np.empty((len(self._segments), 2, weights.shape[1]))
        for total, part in zip(totals, self._segments, strict=True):
            np.dot(self._results[:, part], weights[part].astype(np.float64), out=total)
        totals = np.add.reduceat(totals, self._first_segments, axis=0)
        wins = np.zeros((weights.shape[1], self._players, self._players))
        wins[:, self._one, self._other] = totals[:, 0].T
        wins[:, self._other, self._one] = totals[:, 1].T
        return wins

    def _weights(self, similarities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how often each battle counts, at most 1, in place of the similarities."""
        nearest = similarities.max(axis=0, initial=0.0)
        # If nothing resembles the prompt, all battles count alike.
        similarities *= self._sharpness / np.where(nearest > 0, nearest, np.inf)
        similarities -= self._sharpness
        return np.exp(similarities, out=similarities)


def _check(battles: Battles, embeddings: NDArray[Any], num_tiers: int, gamma: float) -> None:
    if embeddings.ndim != 2 or len(embeddings) != len(battles.first):
        raise ConfigError(
            f"there are {len(battles.first)} battles and embeddings of shape {embeddings.shape}: "
            "give one row for each battle"
        )
    if num_tiers < 2 or not 1 < gamma < math.inf:
        raise ConfigError(
            f"num_tiers is {num_tiers} and gamma is {gamma}: num_tiers must be 2 or more, and "
            "gamma greater than 1"
        )
