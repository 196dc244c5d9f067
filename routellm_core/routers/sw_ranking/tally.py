"""Comparisons of two models' answers, in the columns that sw_ranking counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..item_response import win_rates
from .bradley_terry import fit_strengths, tiers_of

_WINNERS = {"model_a": 1.0, "tie": 0.5, "tie (bothbad)": 0.5, "model_b": 0.0}


@dataclass(frozen=True)
class Battles:
    """Comparisons of two models' answers, in columns. All arrays have shape (n,)."""

    models: list[str]
    first: NDArray[np.int64]
    """Index of the first model in ``models``."""
    second: NDArray[np.int64]
    """Index of the second model."""
    p_first: NDArray[np.float64]
    """Probability that the first model's answer is better; 0.5 for a tie."""
    weight: NDArray[np.float64]
    """How many battles each counts as."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Battles:
        """Return the columns of rows ``{"model_a", "model_b"}`` with ``"winner"`` or ``"p_a"``.

        Args:
            rows: ``winner`` is ``model_a``, ``model_b``, ``tie`` or ``tie (bothbad)``; ``p_a``
                instead is the probability that a's answer is better. A pandas data frame with
                such columns is accepted, too.

        Raises:
            DataError: a row is invalid; the message gives its index, from 0.
        """
        if hasattr(rows, "to_dict"):
            rows = rows.to_dict("records")
        numbers: dict[str, int] = {}
        columns: list[tuple[int, int, float]] = []
        for index, row in enumerate(rows):
            try:
                p_first = float(row["p_a"]) if "p_a" in row else _WINNERS[row["winner"]]
                if not 0 <= p_first <= 1:
                    raise ValueError("not a probability")
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

    @classmethod
    def of_items(
        cls,
        difficulty: NDArray[np.floating],
        contrast: NDArray[np.floating],
        weight: NDArray[np.floating],
        strong: float,
        weak: float,
    ) -> Battles:
        """Return the expected result of a strong and a weak model on each of n prompts.

        Args:
            difficulty: difficulty of each prompt in logits, shape (n,).
            contrast: contrast of each prompt, shape (n,).
            weight: weight of each battle, above 0, shape (n,).
            strong: ability of the strong model in logits.
            weak: ability of the weak model, lower than ``strong``.
        """
        hard = difficulty.astype(np.float64)
        first = np.zeros(len(hard), np.int64)
        p_first = win_rates(strong - hard, weak - hard, contrast.astype(np.float64))
        return cls(["strong", "weak"], first, first + 1, p_first, weight.astype(np.float64))

    def strengths(self) -> NDArray[np.float64]:
        """Return the strength of each model over all battles, whatever the prompt: shape (K,)."""
        wins = np.zeros((len(self.models), len(self.models)))
        np.add.at(wins, (self.first, self.second), self.weight * self.p_first)
        np.add.at(wins, (self.second, self.first), self.weight * (1 - self.p_first))
        return fit_strengths(wins)


def order_of(battles: Battles, num_tiers: int) -> NDArray[np.int64]:
    """Return the order of battles in which a router does not copy their vectors."""
    tiers = tiers_of(battles.strengths(), num_tiers)
    cell, _ = cells_of(battles, tiers, num_tiers, compat=False)
    return np.argsort(cell, kind="stable")


def cells_of(
    battles: Battles, tiers: NDArray[np.int64], num_tiers: int, compat: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pair of tiers of each battle, and the probability that the first of them won.

    The pair of tiers ``one < other`` is numbered ``one * (num_tiers + 1) + other``. The released
    code counts a battle within a tier as if the first model's win were a defeat of the tier by a
    player fixed at Elo 1000: with ``compat`` that player is tier ``num_tiers``, and comes first.
    """
    first, second = tiers[battles.first], tiers[battles.second]
    within = first == second
    one, other = np.minimum(first, second), np.maximum(first, second)
    if compat:
        one = np.where(within, num_tiers, one)
    cell = one * (num_tiers + 1) + other
    if not compat:
        cell[within] = left_out(num_tiers)
    return cell, np.where(first <= second, battles.p_first, 1 - battles.p_first)


def left_out(num_tiers: int) -> int:
    """Return the number, above those of all pairs, for battles that are not counted."""
    return (num_tiers + 1) ** 2
