"""How figures are written in Markdown and in plots."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..intervals import Estimate

UNDEFINED = "–"

_EXACT = 1e-9
"""Width of an interval that is none."""


def plain(value: float) -> str:
    """Return a number to three places, without a zero before the point: ``.628``, ``-1.284``."""
    text = f"{round(value, 3) + 0.0:.3f}"  # the sum takes the minus from a zero
    return text.replace("0.", ".", 1) if abs(round(value, 3)) < 1 else text


def signed(value: float) -> str:
    """Return the same with its sign: ``+.040``."""
    return plain(value) if round(value, 3) < 0 else f"+{plain(value)}"


def percent(value: float) -> str:
    """Return a share as a percentage to one place: ``35.5``."""
    return f"{round(100 * value, 1) + 0.0:.1f}"


def digits(value: float) -> str:
    """Return four significant digits: ``12.47``."""
    return f"{value:.4g}"


def estimated(estimate: Estimate | None, write: Callable[[float], str] = plain) -> str:
    """Return a figure with its interval: ``.628 [.609, .649]``.

    Args:
        estimate: None or NaN gives ``UNDEFINED``; a figure that resampling does not change is
            alone.
        write: how each number is written.
    """
    if estimate is None or math.isnan(estimate.value):
        return UNDEFINED
    if estimate.high - estimate.low < _EXACT:
        return write(estimate.value)
    return f"{write(estimate.value)} [{write(estimate.low)}, {write(estimate.high)}]"


def repeated(name: str, further: int) -> str:
    """Return a line that says what becomes of labels beyond the first of their prompt and model."""
    labels = "1 label repeats" if further == 1 else f"{further:,} labels repeat"
    return f"{name}: {labels} the prompt of another: each prompt counts once, with its mean quality"
