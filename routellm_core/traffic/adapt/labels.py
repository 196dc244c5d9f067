"""Labels of two models, each prompt once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.digests import TextsDigest
from ...data.labelled import Labelled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """Prompts and how well both models answered them, n of them."""

    prompts: list[str]
    strong: Floats
    """Quality of the strong model's answers, each in [0, 1], shape (n,)."""
    weak: Floats
    costs: tuple[Floats, Floats] | None
    """Of the strong and of the weak model's answers, in dollars; None where rows do not say."""
    unit: float = 1.0
    """What a quality of 1 is in ``strong`` and ``weak``; below 1 for votes that count several times
    (``read_votes``), of which the differences alone tell."""
    rows: int = 0
    """From how many rows they are; 0 where that does not matter."""

    @classmethod
    def of(cls, rows: Iterable[Labelled]) -> Labels:
        """Return the labels of rows; a prompt that occurs several times counts once, with means."""
        found: dict[str, list[tuple[float, ...]]] = {}
        for row in rows:
            found.setdefault(row.prompt, []).append((row.strong, row.weak, *(row.costs or ())))
        table = np.array([np.mean(each, axis=0) for each in found.values()]).T
        costs = (table[2], table[3]) if len(table) == 4 else None
        return cls(list(found), table[0], table[1], costs, rows=sum(map(len, found.values())))

    @property
    def gains(self) -> Floats:
        """Quality of the strong model's answers less that of the weak one's, shape (n,)."""
        return (self.strong - self.weak) / self.unit

    @property
    def digest(self) -> str:
        """SHA-256 of the prompts in their order."""
        digest = TextsDigest()
        for prompt in self.prompts:
            digest.add(prompt)
        return digest.value()
