"""Whether to deploy, in one line."""

from __future__ import annotations

import math

from ...evaluation.reporting.wording import plain
from ...evaluation.results import MIX
from .judged import ADAPTED, CHANCE, Judged

FEWEST = 20
"""Labels below which nothing is said about a router."""

START = 200
"""Labels that are a start."""

DEPLOY = "deploy"
"""What the line begins with if the router is to be deployed."""

USEFUL = 0.05
"""Share of calls for the weak model from which routing is worth it."""

_Z = 1.959964
_LITTLE = 0.03
"""An advantage over the constant mix, in APGR, that does not pay."""


def verdict(judged: Judged | None, labels: int, max_loss: float, confidence: float) -> str:
    """Return the line: it begins with ``deploy``, ``not yet`` or ``no``.

    Args:
        judged: what the labels say; None where they are fewer than ``FEWEST``.
        labels: how many there are.
        max_loss: that was allowed.
        confidence: of that.
    """
    sure = f"{_plain(max_loss)} ({100 * confidence:g} %)"
    if judged is None:
        return f"not yet: about {max(START - labels, 1):,} more labels"
    differ = "these two models differ too little on your traffic for routing by prompt to pay"
    if judged.gap.high < 0:
        return (
            "no: the weak model's answers are the better ones: check that the two are not swapped, "
            "or call the weak model alone"
        )
    if judged.result is None and judged.gap.high < max_loss:
        return f"no: {differ}: the weak model alone is as good"
    if judged.weak_alone:
        return f"no: {differ}: the weak model alone loses at most {sure}"
    if judged.result is None:
        return f"not yet: {_more(labels, 2 * labels)}: so far the weak model is as good on average"
    advantage = judged.result.named(ADAPTED).over[MIX]
    # Of few prompts where the two differ, a bootstrap does not tell how else they might be ordered.
    if max(advantage.high, advantage.value + _Z * judged.spread) < _LITTLE:
        return (
            "no: prompts do not tell where these two models differ: routing gains less than "
            f"{_plain(_LITTLE)} of the gap over calling the strong model at random as often"
        )
    shown = advantage.low > 0 and judged.chance <= CHANCE
    at = judged.at
    if shown and at is not None and at.share.value >= USEFUL:
        share = at.saving or at.share
        what = "saves" if at.saving else "sends to the weak model"
        return (
            f"{DEPLOY}: {what} {_percent(share.value)} % [{_percent(share.low)}, "
            f"{_percent(share.high)}] at a quality loss of at most {sure}"
        )
    wanted = 0
    if not shown:
        half = (advantage.high - advantage.low) / 2
        likely = max(advantage.value, half / 3)  # no sooner than three times as sure
        wanted = math.ceil(labels * max(1.2, (half / likely) ** 2))
    if at is None or at.share.value < USEFUL:
        needed = judged.bounded.labels_needed
        if needed is None and at is None and labels >= START:
            return (
                f"no: even with more labels, a loss of at most {sure} can hardly be shown: allow a "
                "larger one with --max-quality-loss"
            )
        wanted = max(wanted, needed or max(START, 2 * labels))
    return f"not yet: {_more(labels, wanted)}"


def _more(labels: int, wanted: int) -> str:
    more = max(wanted - labels, 1)
    digits = 10 ** max(0, len(str(more)) - 2)
    return f"about {math.ceil(more / digits) * digits:,} more labels"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _plain(value: float) -> str:
    return plain(value).rstrip("0") or "0"
