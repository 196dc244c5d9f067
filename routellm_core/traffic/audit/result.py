"""What routing would have done with logged calls: shares, costs, by route, key, team, day, kind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...evaluation.calibration.curve import SHARES
from ...rules.share import NEVER, threshold_in
from .caches import Flow, Mask, Prices, Spent, flow_of, kept_strong, spent, without_caches
from .columns import COLUMNS, FIRST, NOT_SAID, OTHERS, TURNS, Calls, Floats

_Z = 1.96
"""Of a 95 % interval."""

_FEW = 30
"""Conversations: with fewer, an interval is not worth its name."""

_MANY = 0.05
"""Share of the calls from which a repeated prompt is told."""

_SHOWN = 20
"""Names of a column that are told apart: those with most calls."""

_BINS = 40


@dataclass(frozen=True)
class Interval:
    """A figure of this log, and the 95 % interval of the same on further conversations like its.

    From the spread between conversations, as the calls of one are not independent.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """Some of the calls."""

    name: str
    calls: int
    strong: int
    """Of them, those that would have gone to the strong model."""
    always_strong: float | None = None
    """Dollars, had all gone to the strong model."""
    routed: float | None = None
    """Dollars, as routed."""

    @property
    def share(self) -> float:
        """Share of the strong model, in [0, 1]."""
        return self.strong / self.calls

    @property
    def saving(self) -> float | None:
        """1 - routed / always strong."""
        if self.routed is None or not self.always_strong:
            return None
        return 1 - self.routed / self.always_strong


@dataclass(frozen=True)
class Setting:
    """What one threshold does, on all calls."""

    threshold: float
    share: float
    dollars: float | None
    saving: float | None


@dataclass(frozen=True)
class Money:
    """What all calls cost, in dollars."""

    always_strong: float
    always_weak: float
    routed: float
    saving: Interval
    saving_without_caches: float
    """What it would look like if prompt caches were left out, as they often are."""
    saving_if_kept: float
    """With ``sticky: conversation``."""
    cached_strong: float
    """Tokens read from caches, had all gone to the strong model."""
    cached_routed: float
    """The same, as routed."""
    prices: Prices


@dataclass(frozen=True)
class Repeated:
    """Calls that begin a conversation with the same prompt, by their score: a job's, perhaps."""

    calls: int
    strong: bool
    """Whether they would have gone to the strong model."""
    others: float
    """Share of the strong model in all other calls."""


@dataclass(frozen=True)
class Audit:
    """What routing would have done with the calls of a log."""

    router: str
    threshold: float
    calls: int
    conversations: int
    share: Interval
    scored: int
    side: int
    failed: int
    sticky: bool
    first_day: str | None
    last_day: str | None
    spend: float | None
    """Dollars that the log itself says were spent, if it says so of each call."""
    tokens_given: float
    tokens_predicted: int
    """Of how many calls the tokens given are predicted."""
    answers_predicted: int
    repeated: int
    """Calls that the gateway answered from a cache of its own, which cost nothing."""
    usual_answer: float
    caches_logged: int
    money: Money | None
    curve: tuple[Setting, ...]
    parts: dict[str, tuple[Part, ...]]
    """By column; a column that the log says nothing of is left out."""
    histogram: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]
    """Edges of the scores' bins, and the counts of first turns and of all others."""
    uncalibrated_share: float | None = None
    """Share of the strong model with the threshold for usual traffic in place of this one."""
    repeated_prompt: Repeated | None = None
    """The prompt that is asked most, if it makes a difference."""
    nearest: tuple[int, ...] = ()
    """Positions in the log of the scored calls nearest to the threshold."""


def audit(
    calls: Calls,
    *,
    router: str,
    threshold: float,
    prices: Prices | None,
    output_tokens: float,
    idle_s: float,
    on_error_strong: bool = True,
    side_strong: bool = False,
    sticky: bool = False,
    uncalibrated: float | None = None,
    nearest: int = 0,
) -> Audit:
    """Return what routing would have done with logged calls.

    Args:
        calls: as read from the log.
        router: name of the router.
        threshold: least score that goes to the strong model.
        prices: of both models; None: nothing is said of costs.
        output_tokens: of an answer, where no call of the log tells.
        idle_s: seconds after its last use at which a prompt cache is cold.
        on_error_strong: where calls go that could not be scored.
        side_strong: where side calls go.
        sticky: whether a conversation stays on the strong model once it went there.
        uncalibrated: threshold that is meant for usual traffic, to compare with.
        nearest: how many of the calls nearest to the threshold are named.

    Raises:
        DataError: no call was scored, since all serve the application.
    """
    if np.isnan(calls.scores).all():
        raise DataError(
            f"all {len(calls):,} calls serve an application (titles, summaries), so there is "
            "nothing to route: give logs of people's calls"
        )
    known = calls.answered[~np.isnan(calls.answered) & (calls.given > 0)]
    usual = float(known.mean()) if len(known) else output_tokens
    flow = flow_of(calls, usual, idle_s)

    def routed(at: float) -> Mask:
        strong = _strong(calls, at, on_error_strong, side_strong)[flow.order]
        return kept_strong(flow, strong) if sticky else strong

    chosen = routed(threshold)
    clusters = flow.conversations
    always = spent(flow, np.ones(len(calls), bool), prices) if prices else None
    money = None
    now = spent(flow, chosen, prices) if prices else None
    if prices and always and now:
        money = _money(flow, chosen, prices, always, now)
    scores = calls.scores[~np.isnan(calls.scores)]
    thresholds = {threshold_in(scores, share) for share in SHARES} | {0.0, NEVER, threshold}
    curve = [_setting(each, routed(each), flow, prices, always) for each in sorted(thresholds)]
    days = calls.when[~np.isnan(calls.when)]
    return Audit(
        router=router,
        threshold=threshold,
        calls=len(calls),
        conversations=int(clusters.max()) + 1,
        share=_ratio(chosen.astype(float), np.ones(len(calls)), clusters),
        scored=len(scores),
        side=int(calls.is_side.sum()),
        failed=calls.failed,
        sticky=sticky,
        first_day=_day(days.min()) if len(days) else None,
        last_day=_day(days.max()) if len(days) else None,
        spend=None if np.isnan(calls.spend).any() else float(calls.spend.sum()),
        tokens_given=float(calls.given.sum()),
        tokens_predicted=calls.predicted,
        repeated=calls.repeated,
        answers_predicted=int(np.isnan(calls.answered).sum()),
        usual_answer=usual,
        caches_logged=flow.logged,
        money=money,
        curve=tuple(curve),
        parts=_parts(calls, flow, chosen, always, now),
        histogram=_histogram(calls),
        uncalibrated_share=None if uncalibrated is None else float(routed(uncalibrated).mean()),
        repeated_prompt=_repeated(calls, flow, chosen),
        nearest=_nearest(calls, threshold, nearest),
    )


def _strong(calls: Calls, threshold: float, on_error: bool, side: bool) -> Mask:
    strong: Mask = np.where(np.isnan(calls.scores), on_error, calls.scores >= threshold)
    strong[calls.is_side & np.isnan(calls.scores)] = side
    return strong


def _money(flow: Flow, chosen: Mask, prices: Prices, always: Spent, now: Spent) -> Money:
    total = float(always.dollars.sum())
    left = _ratio(now.dollars, always.dollars, flow.conversations)
    bare = float(without_caches(flow, np.ones(len(chosen), bool), prices).sum())
    kept = float(spent(flow, kept_strong(flow, chosen), prices).dollars.sum())
    return Money(
        always_strong=total,
        always_weak=float(spent(flow, np.zeros(len(chosen), bool), prices).dollars.sum()),
        routed=float(now.dollars.sum()),
        saving=Interval(1 - left.value, 1 - left.high, 1 - left.low),
        saving_without_caches=_saved(float(without_caches(flow, chosen, prices).sum()), bare),
        saving_if_kept=_saved(kept, total),
        cached_strong=float(always.cached.sum()),
        cached_routed=float(now.cached.sum()),
        prices=prices,
    )


def _setting(
    threshold: float, strong: Mask, flow: Flow, prices: Prices | None, always: Spent | None
) -> Setting:
    share = float(strong.mean())
    if prices is None or always is None:
        return Setting(threshold, share, None, None)
    dollars = float(spent(flow, strong, prices).dollars.sum())
    return Setting(threshold, share, dollars, _saved(dollars, float(always.dollars.sum())))


def _parts(
    calls: Calls, flow: Flow, chosen: Mask, always: Spent | None, now: Spent | None
) -> dict[str, tuple[Part, ...]]:
    parts = {}
    for column in COLUMNS:
        names = calls.names[column]
        labels = calls.labels[column][flow.order]
        counts = np.bincount(labels, minlength=len(names))
        strong = np.bincount(labels, chosen, len(names))
        dollars = [
            None if each is None else np.bincount(labels, each.dollars, len(names))
            for each in (always, now)
        ]
        found = [
            Part(
                name,
                int(counts[at]),
                int(strong[at]),
                *(None if sums is None else float(sums[at]) for sums in dollars),
            )
            for at, name in enumerate(names)
            if counts[at]
        ]
        if column == "day":
            parts[column] = tuple(sorted(found, key=lambda part: part.name))
        elif column == "turn":
            parts[column] = tuple(found)
        else:
            parts[column] = _largest(found)
    return {
        column: each
        for column, each in parts.items()
        if any(part.name != NOT_SAID for part in each)
    }


def _largest(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts with most calls, and the sum of all others."""
    ordered = sorted(parts, key=lambda part: (-part.calls, part.name))
    if len(ordered) <= _SHOWN:
        return tuple(ordered)
    rest = ordered[_SHOWN - 1 :]
    dollars = [
        None if rest[0].routed is None else sum(getattr(part, name) for part in rest)
        for name in ("always_strong", "routed")
    ]
    name = f"{OTHERS[:-1]}, {len(rest)} names)"
    total = Part(name, sum(p.calls for p in rest), sum(p.strong for p in rest), *dollars)
    return (*ordered[: _SHOWN - 1], total)


def _ratio(above: Floats, below: Floats, clusters: NDArray[np.intp]) -> Interval:
    """Return the ratio of two sums, with its interval over clusters drawn anew."""
    sums = [np.bincount(clusters, each) for each in (above, below)]
    total = float(sums[1].sum())
    if total <= 0:
        return Interval(math.nan, math.nan, math.nan)
    value = float(sums[0].sum()) / total
    m = len(sums[0])
    if m < _FEW:
        return Interval(value, math.nan, math.nan)
    rest = sums[0] - value * sums[1]
    half = _Z * math.sqrt(float((rest**2).sum()) * m / (m - 1)) / total
    return Interval(value, value - half, value + half)


def _histogram(
    calls: Calls,
) -> tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]:
    is_scored = ~np.isnan(calls.scores)
    first = calls.labels["turn"] == 0
    scores = calls.scores[is_scored]
    low, high = float(scores.min()), float(scores.max())
    edges = np.linspace(low, max(high, low + 0.01), _BINS + 1)
    counts = [np.histogram(calls.scores[is_scored & part], edges)[0] for part in (first, ~first)]
    return tuple(edges.tolist()), tuple(counts[0].tolist()), tuple(counts[1].tolist())


def _repeated(calls: Calls, flow: Flow, chosen: Mask) -> Repeated | None:
    scores = np.where(calls.labels["turn"] == TURNS.index(FIRST), calls.scores, np.nan)[flow.order]
    values, counts = np.unique(scores[~np.isnan(scores)], return_counts=True)
    if not len(values) or counts.max() < max(_FEW, _MANY * len(calls)):
        return None
    same = scores == values[counts.argmax()]
    others = float(chosen[~same].mean()) if not same.all() else math.nan
    return Repeated(int(same.sum()), bool(chosen[same].all()), others)


def _nearest(calls: Calls, threshold: float, most: int) -> tuple[int, ...]:
    """Return positions, as many above the threshold as below it, of scores that differ."""
    found: list[int] = []
    for above in (True, False):
        side = calls.scores >= threshold if above else calls.scores < threshold
        places = np.flatnonzero(side & ~np.isnan(calls.scores))
        places = places[np.argsort(np.abs(calls.scores[places] - threshold), kind="stable")]
        _, firsts = np.unique(calls.scores[places], return_index=True)
        found += places[np.sort(firsts)[: (most + above) // 2]].tolist()
    return tuple(sorted(found, key=lambda at: -calls.scores[at]))


def _saved(dollars: float, of: float) -> float:
    return 1 - dollars / of if of > 0 else math.nan


def _day(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))[:10]
