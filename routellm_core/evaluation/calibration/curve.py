"""What thresholds give on a sample: share, cost, saving, quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...optional import require
from ...rules.budget import Costs
from ...rules.share import NEVER, threshold_in
from ..intervals import LEVEL
from ..metrics import Floats
from .sample import Sample

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""At which the table has a row."""


@dataclass(frozen=True)
class Point:
    """What one threshold gives on a sample."""

    threshold: float
    share: float
    """Of the prompts, at or above the threshold."""
    cost: float | None
    """Dollars for 1,000 requests."""
    saved: float | None
    """1 - cost / cost of always strong."""
    quality: tuple[float, float, float] | None
    """Mean quality with its 95 % interval."""
    loss: float | None
    """Mean quality of always strong less that."""


def points(
    sample: Sample, chosen: float | None, costs: Costs | None, labels: Sample | None = None
) -> list[Point]:
    """Return a point for each of ``SHARES``, and one for the threshold chosen, ascending in share.

    Args:
        sample: the prompts.
        chosen: threshold, if one was chosen.
        costs: of the sample's requests.
        labels: a sample with labels, which may be ``sample`` itself.
    """
    wanted = {threshold_in(sample.scores, share) for share in SHARES}
    wanted |= {0.0, NEVER} if chosen is None else {0.0, NEVER, chosen}
    return [point(sample, each, costs, labels) for each in sorted(wanted, reverse=True)]


def point(
    sample: Sample, threshold: float, costs: Costs | None, labels: Sample | None = None
) -> Point:
    """Return what a threshold gives; arguments as for ``points``."""
    is_strong = sample.scores >= threshold
    cost = None if costs is None else costs.of(is_strong)
    saved = None
    if costs is not None and cost is not None and costs.always_strong > 0:
        saved = 1 - cost / costs.always_strong
    quality = loss = None
    if labels is not None and labels.strong is not None and labels.weak is not None:
        routed = np.where(labels.scores >= threshold, labels.strong, labels.weak)
        mean = float(routed.mean())
        quality = (mean, *_interval(routed))
        loss = float(labels.strong.mean()) - mean
    return Point(threshold, float(is_strong.mean()), cost, saved, quality, loss)


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the share on further prompts like the n of a sample."""
    # Of Wilson: sound for few prompts and for shares near 0 and 1.
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _interval(values: Floats) -> tuple[float, float]:
    """Return the interval of a mean: Clopper-Pearson for 0 and 1, else Student's."""
    stats = require("scipy.stats", "eval", "an interval of the quality")
    n, mean = len(values), float(values.mean())
    if np.isin(values, (0.0, 1.0)).all():
        found = stats.binomtest(int(values.sum()), n).proportion_ci(LEVEL)
        return float(found.low), float(found.high)
    half = float(stats.t.ppf((1 + LEVEL) / 2, max(1, n - 1)) * values.std(ddof=1) / np.sqrt(n))
    return max(0.0, mean - half), min(1.0, mean + half)
