"""How far two sets of labels agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...evaluation.intervals import Estimate, interval

_SAME = 1e-9
_DRAWS = 2000


@dataclass(frozen=True)
class Agreement:
    """Of a judge with people, on prompts that both labelled."""

    n: int
    same: float
    """Share of the prompts on which both say the same: strong better, as good, or worse."""
    kappa: Estimate
    """Cohen's, with a bootstrap 95 % interval; NaN where all labels are one class."""


def agreement(
    judged: Mapping[str, tuple[float, float]], human: Mapping[str, tuple[float, float]]
) -> Agreement:
    """Return how far labels of prompts (qualities of strong and weak) agree.

    Args:
        judged: by prompt.
        human: likewise; at least one prompt in common.
    """
    common = [prompt for prompt in human if prompt in judged]
    classes = np.array(
        [[_class(labels[prompt]) for labels in (judged, human)] for prompt in common]
    )
    rng = np.random.default_rng(0)
    n = len(common)
    drawn = np.array([_kappa(classes[rng.integers(0, n, n)]) for _ in range(_DRAWS)])
    same = float((classes[:, 0] == classes[:, 1]).mean())
    return Agreement(n, same, Estimate(_kappa(classes), *interval(drawn)))


def _class(qualities: tuple[float, float]) -> int:
    gain = qualities[0] - qualities[1]
    return 0 if abs(gain) < _SAME else int(np.sign(gain))


def _kappa(classes: NDArray[np.int64]) -> float:
    """Return Cohen's kappa of two columns of classes; NaN if chance alone gives full agreement."""
    shares = [(classes == each).mean(axis=0) for each in (-1, 0, 1)]
    chance = float(sum(share[0] * share[1] for share in shares))
    if chance > 1 - _SAME:
        return float("nan")
    return (float((classes[:, 0] == classes[:, 1]).mean()) - chance) / (1 - chance)
