"""The win rate of two models on a prompt of known difficulty and contrast.

    gap(q) = sigmoid(a_strong - b(q)) - sigmoid(a_weak - b(q))
    P(strong wins | q) = 1 - (1 - gap(q)) ** exp(2 c(q)) / 2

a is a model's ability and b(q) the prompt's difficulty, so that sigmoid(a - b(q)) is how likely
the model is right (Rasch 1960); a tie counts as half a win. c(q), the contrast, is by how much
more than usual abler models do better on the prompt, in standard deviations: a hard prompt may be
one that abler models answer no better. Of average contrast, P is (1 + gap) / 2; a small gap is
multiplied by exp(2 c(q)), and none leaves [0, 1], so that no two prompts are made equal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEEPNESS = 2.0
"""What a contrast is multiplied by. Contrasts come from penalised fits, which draw them to 0; 2
orders prompts better than 1 for models and kinds of prompts not learned from, and 4 does not."""

_MOST = 700.0
"""Exponent at which a float is still finite."""


def win_rates(strong: Floats, weak: Floats, contrast: Floats) -> Floats:
    """Return the strong win rates, shape (n,), each in [0.5, 1].

    Args:
        strong: a_strong - b(q) of each prompt, in logits, shape (n,).
        weak: a_weak - b(q), a lower one, likewise.
        contrast: c(q), shape (n,).
    """
    # A difference of sigmoids is half that of hyperbolic tangents, which do not overflow.
    gap = 0.5 * (np.tanh(0.5 * strong) - np.tanh(0.5 * weak))
    rates: Floats = 1.0 - 0.5 * (1.0 - gap) ** np.exp(np.minimum(_STEEPNESS * contrast, _MOST))
    return rates


def win_rate(strong: float, weak: float, contrast: float) -> float:
    """Return the same of one prompt, in a tenth of the time that arrays of one number take."""
    gap = 0.5 * (math.tanh(0.5 * strong) - math.tanh(0.5 * weak))
    return 1.0 - 0.5 * (1.0 - gap) ** math.exp(min(_STEEPNESS * contrast, _MOST))
