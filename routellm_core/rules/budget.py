"""Thresholds from cost: what requests cost on both models, and the most to spend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .share import cut

Floats = NDArray[np.float64]

PER_REQUESTS = 1000
"""Costs are told for so many requests."""


@dataclass(frozen=True)
class Costs:
    """What each of n requests costs on each model, in dollars."""

    strong: Floats
    """Shape (n,)."""
    weak: Floats
    """Shape (n,)."""

    def of(self, is_strong: NDArray[np.bool_]) -> float:
        """Return what ``PER_REQUESTS`` requests cost if these go to the strong model."""
        return float(np.where(is_strong, self.strong, self.weak).mean()) * PER_REQUESTS

    @property
    def always_strong(self) -> float:
        """Dollars for ``PER_REQUESTS`` requests."""
        return float(self.strong.mean()) * PER_REQUESTS

    @property
    def always_weak(self) -> float:
        """Dollars for ``PER_REQUESTS`` requests."""
        return float(self.weak.mean()) * PER_REQUESTS


def threshold_for_cost(scores: Floats, costs: Costs, most: float) -> float:
    """Return the lowest threshold at which ``PER_REQUESTS`` requests cost at most ``most``.

    Args:
        scores: of the requests, shape (n,).
        costs: of the same requests.
        most: in dollars, 0 or more.

    Raises:
        ConfigError: the weak model alone costs more, or the strong one is not the dearer one.
    """
    _check_affordable(costs, most)
    values, places = np.unique(scores, return_inverse=True)
    saved = np.bincount(places, weights=costs.strong - costs.weak)
    # What is spent with all scores below each cut on the weak model.
    spent = costs.always_strong - np.concatenate(([0], np.cumsum(saved))) * (
        PER_REQUESTS / len(scores)
    )
    # The sum of all differences may miss the weak model's cost by a rounding error.
    affordable = np.flatnonzero(spent <= most * (1 + 1e-12))
    return cut(values, int(affordable[0]) if len(affordable) else len(values))


def threshold_for_saving(scores: Floats, costs: Costs, saving: float) -> float:
    """Return the lowest threshold at which requests are cheaper than always strong by ``saving``.

    Args:
        scores: of the requests, shape (n,).
        costs: of the same requests.
        saving: in [0, 1]; the weak model's own cost counts.

    Raises:
        ConfigError: the weak model alone saves less, or the strong one is not the dearer one.
    """
    return threshold_for_cost(scores, costs, _spent(costs, saving))


def share_for_cost(costs: Costs, most: float) -> float:
    """Return the share for the strong model at which ``PER_REQUESTS`` requests cost at most so
    much, if their cost does not depend on their score; arguments and errors as for
    ``threshold_for_cost``.
    """
    _check_affordable(costs, most)
    share = (most - costs.always_weak) / (costs.always_strong - costs.always_weak)
    return min(1.0, share)


def share_for_saving(costs: Costs, saving: float) -> float:
    """Return the share for the strong model at which requests are cheaper than always strong by
    ``saving``, if their cost does not depend on their score; arguments and errors as for
    ``threshold_for_saving``.
    """
    return share_for_cost(costs, _spent(costs, saving))


def _spent(costs: Costs, saving: float) -> float:
    """Return what ``PER_REQUESTS`` requests may cost for so much to be saved."""
    _check_dearer(costs)
    possible = 1 - costs.always_weak / costs.always_strong
    if saving > possible:
        raise ConfigError(
            f"the weak model alone costs {1 - possible:.1%} of the strong one, so {possible:.1%} "
            f"can be saved at most, not {saving:.1%}: ask for less, or name a cheaper weak model"
        )
    # As saving is possible, less than the weak model costs is a rounding error.
    return max(costs.always_weak, costs.always_strong * (1 - saving))


def _check_affordable(costs: Costs, most: float) -> None:
    _check_dearer(costs)
    if costs.always_weak > most:
        raise ConfigError(
            f"{PER_REQUESTS:,} requests cost ${costs.always_weak:.4g} on the weak model alone, so "
            f"no threshold keeps to ${most:.4g}: allow more, or name a cheaper weak model"
        )


def _check_dearer(costs: Costs) -> None:
    if not costs.always_strong > costs.always_weak:
        raise ConfigError(
            f"{PER_REQUESTS:,} requests cost ${costs.always_strong:.4g} on the strong model and "
            f"${costs.always_weak:.4g} on the weak one, so there is nothing to save: check the "
            "prices"
        )
