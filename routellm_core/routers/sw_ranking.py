"""Similarity-weighted ranking: who beat whom, on prompts like this one.

    S_i = cos(x_q, x_i) / max_j cos(x_q, x_j),    w_i = g * g^S_i
    P(strong wins | q) = sigmoid(strength of strong's tier - strength of weak's)

with the strengths of a Bradley-Terry model of tiers, in which battle i counts w_i times (Ong et
al., RouteLLM, arXiv 2406.18665, section 4.2). The likelihood depends on the wins between tiers
alone, so the weights are added up to a small matrix first, and that is fitted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import Encoder
from ..errors import ConfigError, DataError, did_you_mean
from .base import Router
from .bradley_terry import fit_strengths, tiers_of
from .mf import sigmoid

_WINNERS = {"model_a": 1.0, "tie": 0.5, "tie (bothbad)": 0.5, "model_b": 0.0}

_BLOCK = 512
"""Rows turned into float32 at a time, so that they are still in the cache when multiplied."""

_QUERIES = 64
"""Prompts whose similarities are held at a time."""


@dataclass(frozen=True)
class Battles:
    """Comparisons of two models' answers, a column each. All arrays are of shape (n,)."""

    models: list[str]
    first: NDArray[np.int64]
    """Number of the first model in ``models``."""
    second: NDArray[np.int64]
    p_first: NDArray[np.float64]
    """Probability that the first model's answer is better; 0.5 for a tie."""
    weight: NDArray[np.float64]
    """How often the battle counts."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Battles:
        """Return the columns of rows ``{"model_a", "model_b"}`` with ``"winner"`` or ``"p_a"``.

        Args:
            rows: ``winner`` is ``model_a``, ``model_b``, ``tie`` or ``tie (bothbad)``; ``p_a``
                instead is the probability that a's answer is better.

        Raises:
            DataError: a row is wrong; the message has its number, from 0.
        """
        numbers: dict[str, int] = {}
        columns: list[tuple[int, int, float]] = []
        for index, row in enumerate(rows):
            try:
                p_first = float(row["p_a"]) if "p_a" in row else _WINNERS[row["winner"]]
                if not 0 <= p_first <= 1:
                    raise ValueError("no probability")
                first, second = (
                    numbers.setdefault(row[key], len(numbers)) for key in ("model_a", "model_b")
                )
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"battle {index} is {row!r:.200}: write model_a, model_b and winner "
                    f"({', '.join(_WINNERS)}), or p_a in [0, 1] instead of winner"
                ) from error
            columns.append((first, second, p_first))
        table = np.array(columns, np.float64).reshape(-1, 3)
        first_column, second_column = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        return cls(list(numbers), first_column, second_column, table[:, 2], np.ones(len(table)))


class SWRankingRouter(Router):
    """Win rates from the battles on prompts that resemble this one.

    How much of a prompt is read is the encoder's matter. Thread-safe.

    Args:
        battles: rows as ``Battles.of`` takes them, or columns.
        embeddings: of each battle's prompt, shape (n, dim), float or int8, of any length: only
            directions count. They stay where they are, in memory or in a mapped file, if the
            battles come in the order of ``order_of``; else they are copied into it.
        strong_model: the strong reference model, among the battles' models.
        weak_model: the weak one, likewise.
        num_tiers: how many tiers the models are grouped in, at most.
        compat: count battles within a tier as the released code of RouteLLM does, by mistake:
            each pulls its tier towards Elo 1000. Otherwise they are left out.
        gamma: base g of the weights: a battle on the nearest prompt counts g times as often as
            one on a prompt at a right angle. The paper's is 10.
        encoder: makes vectors like ``embeddings``; without one only vectors can be scored.
        score_quantiles: of the scores over usual traffic, or None.

    Raises:
        ConfigError: a reference model is unknown, both are in one tier, or numbers do not fit.
        DataError: a battle is wrong.
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
        score_quantiles: NDArray[np.float64] | None = None,
    ) -> None:
        columns = battles if isinstance(battles, Battles) else Battles.of(battles)
        _check(columns, embeddings, num_tiers, gamma)
        for option, model in (("strong_model", strong_model), ("weak_model", weak_model)):
            if model not in columns.models:
                raise ConfigError(
                    f"{option} '{model}' is in no battle: {did_you_mean(model, columns.models)}"
                )
        tiers = _tiers(columns, num_tiers)
        self.tiers = dict(zip(columns.models, tiers.tolist(), strict=True))
        """Of each model, 0 the strongest."""
        self._strong, self._weak = self.tiers[strong_model], self.tiers[weak_model]
        if self._strong == self._weak:
            raise ConfigError(
                f"'{strong_model}' and '{weak_model}' are both in tier {self._strong}, so no "
                "prompt tells them apart: name models further apart, or give more num_tiers"
            )
        cell, p_one = _cells(columns, tiers, num_tiers, compat)
        order = np.argsort(cell, kind="stable")[: int((cell < _left_out(num_tiers)).sum())]
        in_order = bool((order == np.arange(len(order))).all())
        self._vectors = embeddings[: len(order)] if in_order else embeddings[order]
        self._shorten = _inverse_lengths(self._vectors)
        cells, self._starts = np.unique(cell[order], return_index=True)
        self._players = num_tiers + 1
        self._one, self._other = np.divmod(cells, self._players)
        self._won = (columns.weight * p_one)[order].astype(np.float32)
        self._lost = (columns.weight * (1 - p_one))[order].astype(np.float32)
        self._sharpness = np.float32(math.log(gamma))
        self._encoder = encoder
        self._score_quantiles = score_quantiles

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ConfigError: the router was made without an encoder.
        """
        if self._encoder is None:
            raise ConfigError(
                "this router has no encoder: give one as encoder=, or call score_embeddings"
            )
        return self.score_embeddings(self._encoder.encode(prompts))

    def score_embeddings(self, vectors: NDArray[Any]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Args:
            vectors: of the prompts, made as the battles' were, shape (n, dim), of any length.
        """
        queries = vectors.astype(np.float32)
        queries *= _inverse_lengths(queries)[:, None]
        win_rates = np.empty(len(queries))
        for start in range(0, len(queries), _QUERIES):
            rows = slice(start, start + _QUERIES)
            win_rates[rows] = self._win_rates(self._similarities(queries[rows]))
        return win_rates

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's sample of usual traffic."""
        return self._score_quantiles

    @property
    def fingerprint(self) -> str | None:
        """Digest of battles and vectors, with the encoder's name."""
        if self._encoder is None:
            return None
        digest = hashlib.sha256(f"{self._strong} {self._weak} {self._sharpness}".encode())
        for array in (self._won, self._lost, self._one, self._other, self._starts, self._vectors):
            digest.update(np.ascontiguousarray(array).data)
        return f"sw_ranking:{digest.hexdigest()}:{self._encoder.fingerprint}"

    def _similarities(self, queries: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosines with all battles: shape (len(queries), n)."""
        similarities = np.empty((len(queries), len(self._vectors)), np.float32)
        block = np.empty((_BLOCK, self._vectors.shape[1]), np.float32)
        for start in range(0, len(self._vectors), _BLOCK):
            rows = self._vectors[start : start + _BLOCK]
            np.copyto(block[: len(rows)], rows)
            similarities[:, start : start + len(rows)] = queries @ block[: len(rows)].T
        similarities *= self._shorten
        return similarities

    def _win_rates(self, similarities: NDArray[np.float32]) -> NDArray[np.float64]:
        nearest = similarities.max(axis=1, keepdims=True)
        # Where nothing resembles the prompt, as where there is none, all battles count alike.
        similarities /= np.where(nearest > 0, nearest, np.inf)
        similarities -= 1
        similarities *= self._sharpness
        weights = np.exp(similarities, out=similarities)
        wins = np.zeros((len(weights), self._players, self._players))
        wins[:, self._one, self._other] = self._added_up(weights * self._won)
        wins[:, self._other, self._one] = self._added_up(weights * self._lost)
        strengths = fit_strengths(wins)
        return sigmoid(strengths[:, self._strong] - strengths[:, self._weak])

    def _added_up(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.add.reduceat(weights, self._starts, axis=1, dtype=np.float64)


def order_of(battles: Battles, num_tiers: int) -> NDArray[np.int64]:
    """Return the order of battles in which a router needs no copy of their vectors."""
    cell, _ = _cells(battles, _tiers(battles, num_tiers), num_tiers, compat=False)
    return np.argsort(cell, kind="stable")


def _check(battles: Battles, embeddings: NDArray[Any], num_tiers: int, gamma: float) -> None:
    if embeddings.ndim != 2 or len(embeddings) != len(battles.first):
        raise ConfigError(
            f"there are {len(battles.first)} battles and embeddings of shape {embeddings.shape}: "
            "give one row for each battle"
        )
    if num_tiers < 2 or not 1 < gamma < math.inf:
        raise ConfigError(
            f"num_tiers is {num_tiers} and gamma {gamma}: write 2 or more, and more than 1"
        )


def _tiers(battles: Battles, num_tiers: int) -> NDArray[np.int64]:
    """Return the tier of each model by all battles, alike for every prompt."""
    size = len(battles.models)
    wins = np.zeros((size, size))
    np.add.at(wins, (battles.first, battles.second), battles.weight * battles.p_first)
    np.add.at(wins, (battles.second, battles.first), battles.weight * (1 - battles.p_first))
    return tiers_of(fit_strengths(wins), num_tiers)


def _cells(
    battles: Battles, tiers: NDArray[np.int64], num_tiers: int, compat: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return, of each battle, which two tiers met, and the probability that the one won.

    Tiers ``one < other`` make the number ``one * (num_tiers + 1) + other``. The released code
    counts a battle within a tier as if the first model's win were a defeat of the tier by a
    player who stays at Elo 1000: with ``compat`` that player is tier ``num_tiers``, and the one.
    """
    first, second = tiers[battles.first], tiers[battles.second]
    within = first == second
    one, other = np.minimum(first, second), np.maximum(first, second)
    if compat:
        one = np.where(within, num_tiers, one)
    cell = one * (num_tiers + 1) + other
    if not compat:
        cell[within] = _left_out(num_tiers)
    return cell, np.where(first <= second, battles.p_first, 1 - battles.p_first)


def _left_out(num_tiers: int) -> int:
    """Return what stands, above all cells, for battles that do not count."""
    return (num_tiers + 1) ** 2


def _inverse_lengths(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return 1 over the length of each row, 0 for a row of zeros: shape (n,)."""
    squares = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        rows = vectors[start : start + _BLOCK].astype(np.float32)
        np.einsum("ij,ij->i", rows, rows, out=squares[start : start + _BLOCK])
    return np.divide(1.0, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
