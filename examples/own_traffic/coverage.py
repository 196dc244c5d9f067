"""How often the estimates' intervals hold the truth, over fresh draws of questions and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from routellm_core.rules.prices import Price
from routellm_core.traffic.adapt.base import Base, read_base
from routellm_core.traffic.adapt.judged import judge, win_rates
from routellm_core.traffic.adapt.labels import Labels
from routellm_core.traffic.adapt.move import move
from routellm_core.traffic.exploration.estimate import Explored, estimate
from routellm_core.traffic.report.estimates import mean_loss, saving, share

from .world import PRICES, STRONG, WEAK, Floats, World

LABELS, REQUESTS, CALLS = 300, 1500, 4000
"""Of a repetition: for `adapt`, for `report` and for `explored`."""

MORE_REPORTS = 19
"""Further draws of `report` in a repetition, which take next to no time."""

MOST_LOSS, CONFIDENCE = 0.05, 0.95
_SAMPLED, _EXPLORED, _JUDGED = 0.3, 0.05, 0.5
_READ = 420
_WRITTEN = {True: 40, False: 20}
"""Tokens read, and written by the strong model and by the weak one."""

JOB, PER_HOUR = (20, 20, 20), 80
"""Calls an hour for each prompt of a job, in traffic that repeats some, and all calls."""

ADAPT, REPORT, EXPLORED = "adapt", "report", "explored (always valid)"
REPEATED = "explored, three prompts being 3/4 of calls"
Interval = tuple[float, float]


@dataclass
class Coverage:
    """Of an estimate's intervals."""

    held: list[bool] = field(default_factory=list)
    """Whether each held the truth."""
    widths: list[float] = field(default_factory=list)

    def add(self, low: float, high: float, truth: float) -> None:
        """Count an interval."""
        # A figure may be the same in every row, as a truth of 0 that all rows show.
        self.held.append(low - 1e-12 <= truth <= high + 1e-12)
        self.widths.append(high - low)


Covered = dict[tuple[str, str], Coverage]
"""By command and figure."""


class Simulation:
    """Draws questions and answers of a world, and what the commands estimate from them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._base: Base = read_base("mf")
        raw = self._base.raw(world.prompts)
        self._features = self._base.standardised(raw)
        self._scores = self._base.router.score_embeddings(raw)
        self._weights = self._base.linear(self._features)
        prices = (Price(*PRICES[STRONG]), Price(*PRICES[WEAK]))
        self._prices = prices
        self._costs = tuple(
            float(price.costs(np.array([_READ]), np.array([_WRITTEN[is_strong]]))[0]) / 1e6
            for is_strong, price in zip((True, False), prices, strict=True)
        )
        self.covered: Covered = defaultdict(Coverage)
        self.broken = self.bounds = 0
        """How often the bound of `adapt` did not hold, of how many."""

    def repeat(self, seed: int) -> None:
        """Draw once, and count which intervals hold the truth."""
        rng = np.random.default_rng(seed)
        self._adapt(rng)
        self._report(rng)
        self._explored(rng, EXPLORED)
        for _ in range(MORE_REPORTS):
            self._report(rng)
        self._explored(rng, REPEATED)

    def _drawn(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Return n questions, and whether each model's answer is right."""
        rows = rng.integers(len(self._world), size=n)
        return rows, *self._answered(rng, rows)

    def _answered(self, rng: np.random.Generator, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return whether each model's answer to each question is right."""
        strong, weak = (
            (rng.random(len(rows)) < self._world.right[tier][rows]).astype(np.float64)
            for tier in ("strong", "weak")
        )
        return strong, weak

    def _truth(self, is_weak: NDArray[np.bool_], every: Floats | None = None) -> dict[str, float]:
        """Return the truth about a router that sends these of all questions to the weak model.

        Args:
            is_weak: shape (n,), for each question of the world.
            every: shape (n,), each one's share of the calls; None: the same.
        """
        part, (dear, cheap) = float(np.average(is_weak, weights=every)), self._costs
        lost = float(np.average(np.where(is_weak, self._world.gains, 0.0), weights=every))
        return {"share": part, "saving": part * (1 - cheap / dear), "loss": lost}

    def _adapt(self, rng: np.random.Generator) -> None:
        rows, strong, weak = self._drawn(rng, LABELS)
        prompts = [self._world.prompts[row] for row in rows]
        costs = tuple(np.full(LABELS, cost) for cost in self._costs)
        labels = Labels(prompts, strong, weak, (costs[0], costs[1]))
        features = self._features[rows]
        judged = judge(
            features,
            (self._weights, self._scores[rows]),
            labels,
            embedding=self._base.embedding,
            max_loss=MOST_LOSS,
            confidence=CONFIDENCE,
            prices=None,
        )
        gap = float(self._world.gains.mean())
        self.covered[ADAPT, "strong's lead"].add(judged.gap.low, judged.gap.high, gap)
        if judged.at is None or judged.bounded.threshold is None or judged.at.saving is None:
            return
        moved = move(features, self._weights, labels.gains, self._base.embedding)
        scores = self._scores
        if moved is not None and not judged.keeps_base:
            scores = win_rates(moved.gains(self._features))
        truth = self._truth(scores < judged.bounded.threshold)
        self.bounds += 1
        self.broken += truth["loss"] > MOST_LOSS
        for name, found in (("share", judged.at.share), ("saving", judged.at.saving)):
            self.covered[ADAPT, name].add(found.low, found.high, truth[name])
        self.covered[ADAPT, "quality lost"].add(
            judged.at.loss.low, judged.at.loss.high, truth["loss"]
        )

    def _report(self, rng: np.random.Generator) -> None:
        rows, strong, weak = self._drawn(rng, REQUESTS)
        threshold = float(np.quantile(self._scores, 0.6))
        is_weak = self._scores[rows] < threshold
        truth = self._truth(self._scores < threshold)
        dear, cheap = self._costs
        pairs = rng.random(REQUESTS) < _SAMPLED
        lost = np.where(is_weak, strong - weak, 0.0)[pairs]
        decided = share((~is_weak).astype(np.float64))
        saved = saving(np.where(is_weak, cheap, dear), np.full(REQUESTS, dear))
        loss = mean_loss(lost, np.full(len(lost), 1 / _SAMPLED))
        found = (
            ("strong share", decided, 1 - truth["share"]),
            ("saving", saved, truth["saving"]),
            ("quality lost", loss, truth["loss"]),
        )
        for name, each, true in found:
            assert each is not None
            self.covered[REPORT, name].add(each.low, each.high, true)

    def _explored(self, rng: np.random.Generator, traffic: str) -> None:
        rows = rng.integers(len(self._world), size=CALLS)
        at = np.arange(CALLS) * 3600.0 / PER_HOUR
        every = np.full(len(self._world), 1 / len(self._world))
        if traffic == REPEATED:
            job = np.repeat(np.linspace(0, len(self._world) - 1, len(JOB)).astype(int), JOB)
            rows.reshape(-1, PER_HOUR)[:, : len(job)] = job
            every *= 1 - len(job) / PER_HOUR
            np.add.at(every, job, 1 / PER_HOUR)
        strong, weak = self._answered(rng, rows)
        threshold = float(np.quantile(self._scores, 0.6))
        scores = self._scores[rows]
        # Calls of the same words within an hour share one draw.
        _, draws = np.unique(at // 3600 + 1j * rows, return_inverse=True)
        chosen, explored = scores >= threshold, (rng.random(CALLS) < _EXPLORED)[draws]
        went = chosen ^ explored
        quality = np.where(went, strong, weak)
        quality[rng.random(CALLS) >= _JUDGED] = np.nan
        written = np.where(went, _WRITTEN[True], _WRITTEN[False]).astype(np.float64)
        calls = Explored(
            at,
            scores,
            chosen,
            went,
            np.where(explored, _EXPLORED, 1 - _EXPLORED),
            quality,
            np.full(CALLS, float(_READ)),
            written,
            draws.astype(np.float64),
        )
        found = estimate(calls, self._prices)
        truth = self._truth(self._scores < threshold, every)
        for name, each, true in (
            ("quality lost (IPS)", found.loss_ips, truth["loss"]),
            ("quality lost (DR)", found.loss_dr, truth["loss"]),
            ("saving (DR)", found.saving, truth["saving"]),
        ):
            assert each is not None
            self.covered[traffic, name].add(each.low, each.high, true)


def print_coverage(console: Console, world: World, repetitions: int) -> Simulation:
    """Repeat the estimates, and print how often their intervals held the truth.

    Args:
        console: where.
        world: what is drawn from.
        repetitions: how often.
    """
    simulation = Simulation(world)
    for seed in track(range(repetitions), "Repeating the estimates", console=console):
        simulation.repeat(seed)
    table = Table(
        title=f"95 % intervals that held the truth, of {repetitions:,} repetitions",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("command", "figure", "held", "%", "mean width"):
        table.add_column(heading, justify="left" if heading in ("command", "figure") else "right")
    for row in _rows(simulation):
        table.add_row(*row)
    console.print(table)
    console.print(
        f"adapt's bound on the loss, {MOST_LOSS:g} with confidence {CONFIDENCE:.0%}: broken "
        f"{simulation.broken} of {simulation.bounds} times"
    )
    return simulation


def _rows(simulation: Simulation) -> Iterator[tuple[str, ...]]:
    for (command, figure), each in simulation.covered.items():
        held, n = sum(each.held), len(each.held)
        yield command, figure, f"{held} of {n}", f"{held / n:.1%}", f"{np.mean(each.widths):.3f}"
