"""Evaluate rules for which turn decides, on conversations of hard and easy tasks with follow-ups.

The bundled conversations were written for this benchmark, in English, German, Spanish and
Chinese. Each turn is labelled: ``hard`` and ``easy`` are questions of their own, ``follow_up`` is
about the question before it. A rule is judged by what happens to follow-ups of tasks that went to
the strong model, and to easy questions after a hard task, beside what it costs in strong share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..contracts import Router
from ..errors import DataError
from ..rules.momentum import deciding_turns, momentum
from .intervals import interval, resamples

BUNDLED = Path(__file__).parent / "benchmarks" / "conversations.jsonl"

Kind = Literal["hard", "easy", "follow_up"]
Score = Callable[[str], float]
Rule = Callable[[Sequence[str], Score], float]
"""Gives the score of the last of some turns, oldest first."""

_WINDOW = 3
_SHORT = 40


@dataclass(frozen=True)
class Conversation:
    """What a human wrote in one conversation."""

    name: str
    language: str
    part: str
    """``design``, which the default rule was written on, or ``test``."""
    turns: tuple[str, ...]
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Figure:
    """A share or a ratio over conversations, with its bootstrap 95 % interval."""

    value: float
    low: float
    high: float
    count: int
    """How many turns it is of."""


@dataclass(frozen=True)
class RuleResult:
    """What a rule does with the conversations."""

    follow_ups_kept: Figure
    """Share of the follow-ups that stay on strong, of tasks whose question the rule sent there."""
    hard_follow_ups: Figure
    """Share of the follow-ups that go to strong, of tasks labelled hard."""
    easy_released: Figure
    """Share of the questions labelled easy that go to weak, after a task labelled hard."""
    questions_ratio: Figure
    """Strong share of all questions of their own, over that with each judged by itself."""
    turns_ratio: Figure
    """Strong share of all turns, over the same."""
    least_ratio: Figure
    """The same for a rule without mistakes: each follow-up goes where its question goes by itself.
    It is 1 where hard and easy tasks have as many follow-ups."""


class WrittenLabels(Router):
    """Scores 1 for text with a question labelled hard, else 0: a router without mistakes."""

    instant = True

    def __init__(self, conversations: Iterable[Conversation]) -> None:
        self._hard = [
            turn
            for each in conversations
            for turn, kind in zip(each.turns, each.kinds, strict=True)
            if kind == "hard"
        ]

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return 1.0 or 0.0 for each prompt: shape (n,)."""
        return np.array([float(any(h in prompt for h in self._hard)) for prompt in prompts])


def load_conversations(path: Path = BUNDLED, part: str | None = None) -> list[Conversation]:
    """Return the conversations of a file.

    Args:
        path: JSON lines, each with ``id``, ``language``, ``part`` and ``turns``, a list of objects
            with ``text`` and ``kind``.
        part: only those of this part; None for all.

    Raises:
        DataError: the file cannot be read, or has none of this part.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        conversations = [
            Conversation(
                row["id"],
                row["language"],
                row["part"],
                tuple(turn["text"] for turn in row["turns"]),
                tuple(turn["kind"] for turn in row["turns"]),
            )
            for row in rows
            if part in (None, row["part"])
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a file of conversations ({error!r})") from error
    if not conversations:
        raise DataError(f"{path} has no conversations of part '{part}': use design or test")
    return conversations


def last_turn(turns: Sequence[str], score: Score) -> float:
    """Score only the last turn."""
    return score(turns[-1])


def largest(turns: Sequence[str], score: Score) -> float:
    """Take the largest score of the last three turns."""
    return max(map(score, turns[-_WINDOW:]))


def joined(turns: Sequence[str], score: Score) -> float:
    """Score the last three turns as one text."""
    return score("\n".join(turns[-_WINDOW:]))


def by_length(turns: Sequence[str], score: Score) -> float:
    """Let a turn of at most 40 characters inherit from the one before."""
    at = len(turns) - 1
    while at and len(turns[at]) <= _SHORT:
        at -= 1
    return score(turns[at])


def by_momentum(turns: Sequence[str], score: Score) -> float:
    """Judge as ``RoutingPolicy`` does by default."""
    positions = deciding_turns(turns, len(turns))
    return momentum(positions, [score(turns[at]) for at in positions])[1]


RULES: dict[str, Rule] = {
    "last turn (turns: 1)": last_turn,
    "largest of 3 turns": largest,
    "3 turns joined": joined,
    "inherit if short": by_length,
    "momentum (default)": by_momentum,
}
"""The candidates, by name."""


def judge(
    rule: Rule,
    router: Router,
    threshold: float,
    conversations: Sequence[Conversation],
    draws: int = 1000,
) -> RuleResult:
    """Return what a rule does with the conversations, over resampled conversations.

    Args:
        rule: which turn decides.
        router: scores the turns.
        threshold: least score that goes to the strong model.
        conversations: what is judged; at least one.
        draws: how many resamples.
    """
    scores: dict[str, float] = {}

    def score(text: str) -> float:
        if text not in scores:
            scores[text] = float(router.score([text])[0])
        return scores[text]

    rows = np.array([_counts(each, rule, score, threshold) for each in conversations], np.float64)
    counts = np.concatenate(list(resamples(np.arange(len(rows)), draws, seed=0)))

    def share(hits: int, of: int) -> Figure:
        return _figure(rows[:, hits], rows[:, of], counts)

    def ratio(hits: int, of: int) -> Figure:
        alone = _figure(rows[:, 8], rows[:, 7], counts)
        if not alone.value:
            return Figure(np.nan, np.nan, np.nan, int(rows[:, of].sum()))
        drawn = _divided(counts @ rows[:, hits], counts @ rows[:, of])
        drawn = _divided(drawn, _divided(counts @ rows[:, 8], counts @ rows[:, 7]))
        value = rows[:, hits].sum() / rows[:, of].sum() / alone.value
        return Figure(float(value), *interval(drawn), int(rows[:, of].sum()))

    ratios = ratio(6, 7), ratio(9, 10), ratio(11, 10)
    return RuleResult(share(0, 1), share(2, 3), share(4, 5), *ratios)


def _counts(each: Conversation, rule: Rule, score: Score, threshold: float) -> list[int]:
    """Count, in the order in which ``judge`` reads them: follow-ups kept and how many; of tasks
    labelled hard, and how many; easy questions released, and how many; questions to strong, how
    many, and how many by themselves; turns to strong, how many, and how many without mistakes.
    """
    counts = [0] * 12
    task_strong = task_hard = alone = False
    for at, kind in enumerate(each.kinds):
        strong = rule(each.turns[: at + 1], score) >= threshold
        counts[9] += strong
        counts[10] += 1
        if kind != "follow_up":
            alone = score(each.turns[at]) >= threshold
        counts[11] += alone
        if kind == "follow_up":
            counts[0] += task_strong and strong
            counts[1] += task_strong
            counts[2] += task_hard and strong
            counts[3] += task_hard
            continue
        if kind == "easy" and task_hard:
            counts[4] += not strong
            counts[5] += 1
        counts[6] += strong
        counts[7] += 1
        counts[8] += alone
        task_strong, task_hard = strong, kind == "hard"
    return counts


def _figure(
    hits: NDArray[np.float64], of: NDArray[np.float64], counts: NDArray[np.float64]
) -> Figure:
    total = int(of.sum())
    value = float(hits.sum() / total) if total else float("nan")
    return Figure(value, *interval(_divided(counts @ hits, counts @ of)), total)


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
