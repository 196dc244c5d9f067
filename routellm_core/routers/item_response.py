"""The win rate of two models on a prompt of known difficulty and contrast.

    gap(q) = sigmoid(a_strong - b(q)) - sigmoid(a_weak - b(q))
    P(strong wins | q) = (1 + gap(q) * max(0, 1 + c(q))) / 2

a is a model's ability and b(q) the prompt's difficulty, so that sigmoid(a - b(q)) is how likely
the model is right (Rasch 1960); a tie counts as half a win. c(q), the contrast, says how much more
than usual the abler models gain on the prompt, in standard deviations: not every hard prompt is
answered better by an abler model. For a model whose specialities are known, a is a function of the
prompt too, so that the gap may be negative.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def win_rates(strong: Floats, weak: Floats, contrast: Floats) -> Floats:
    """Return the strong win rates, shape (n,), each in [0, 1].

    Args:
        strong: a_strong - b(q) of each prompt in logits, shape (n,).
        weak: a_weak - b(q), likewise.
        contrast: c(q) of each prompt, shape (n,).
    """
    # A difference of sigmoids is half that of hyperbolic tangents, which do not overflow.
    gap = 0.5 * (np.tanh(0.5 * strong) - np.tanh(0.5 * weak))
    rates: Floats = np.clip(0.5 + 0.5 * gap * np.maximum(0.0, 1.0 + contrast), 0.0, 1.0)
    return rates


def win_rate(strong: float, weak: float, contrast: float) -> float:
    """Return the win rate of one prompt, ten times as fast as with arrays."""
    gap = 0.5 * (math.tanh(0.5 * strong) - math.tanh(0.5 * weak))
    return min(1.0, max(0.0, 0.5 + 0.5 * gap * max(0.0, 1.0 + contrast)))
