"""Whether a pairwise judge goes by the order in which it is shown the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...evaluation.intervals import Estimate, class_shares, interval
from .judges import STRONG_FIRST, WEAK_FIRST


@dataclass(frozen=True)
class PositionBias:
    """What a judge's verdicts in both orders say of it."""

    first: Estimate
    """Share of the decided verdicts that are for the answer shown first; NaN if none is decided.

    The two verdicts on a prompt are not independent: a judge that goes by what the answers say
    gives one to each place, and one that goes by the order both to the same. So the 95 % interval
    is that of prompts, by ``class_shares`` of how the two verdicts are.
    """
    decided: int
    """Verdicts for either answer."""
    flipped: int
    """Prompts whose two verdicts name different answers."""
    prompts: int


def position_bias(verdicts: Sequence[Mapping[str, float]]) -> PositionBias:
    """Return how a pairwise judge treats the order of answers.

    Args:
        verdicts: of each prompt that was judged in both orders.
    """
    counts = np.zeros((3, 3))  # by how many of a prompt's two are for the first, and are decided
    flipped = 0
    for each in verdicts:
        one, two = each[STRONG_FIRST], each[WEAK_FIRST]
        counts[int(one == 1) + int(two == 0), int(one != 0.5) + int(two != 0.5)] += 1
        flipped += abs(one - two) == 1
    number = np.arange(3.0)
    decided = float(counts.sum(axis=0) @ number)
    value, low, high = np.nan, np.nan, np.nan
    if decided:
        value = float(counts.sum(axis=1) @ number) / decided
        possible = np.triu(np.ones((3, 3), bool))
        drawn = class_shares(counts[possible])
        of_first, of_decided = (axis[possible] for axis in np.indices((3, 3)))
        low, high = interval(drawn @ of_first / (drawn @ of_decided))
    return PositionBias(
        Estimate(value, min(low, value), max(high, value)), int(decided), flipped, len(verdicts)
    )
