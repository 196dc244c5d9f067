"""Score prompts or labelled pairs as they are read; only numbers are kept of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from ...data.call_forms import LoggedCall
from ...data.digests import TextsDigest
from ...data.labelled import Labelled
from ...decision import Asked
from ...errors import ConfigError, DataError
from ...policy.policy import RoutingPolicy
from ...progress import SILENT, Progress
from ...rules.budget import Costs
from ...rules.prices import tokens_in
from ..metrics import Floats

_BATCH = 512

_SAME = 1e-9
"""Scores that differ by less are one score."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Sample:
    """Prompts that were scored, n of them, as numbers."""

    scores: Floats
    """Shape (n,)."""
    digest: str
    """SHA-256 of the prompts, those whose scoring failed too."""
    failed: int
    """How many could not be scored, beside the n."""
    given: Floats
    """Tokens that each request gives to read, as logged, or predicted from the human's words."""
    answered: Floats
    """Tokens of each answer, as logged; NaN where that is not known."""
    strong: Floats | None = None
    """Quality of the strong model's answers, in [0, 1]; None where there are no labels."""
    weak: Floats | None = None
    """Quality of the weak model's answers."""
    costs: Costs | None = None
    """What the answers cost, where the file says so."""
    later_turns: int = 0
    """How many were later turns of conversations."""


def sample_of_calls(
    policy: RoutingPolicy,
    calls: Iterable[LoggedCall],
    *,
    total: int = 0,
    progress: Progress = SILENT,
) -> Sample:
    """Score logged calls as a gateway with this policy would, follow-ups included.

    Args:
        policy: scores; its threshold does not matter.
        calls: read one by one.
        total: about how many there are.
        progress: receives how many are scored.

    Raises:
        DataError: none could be scored.
        ConfigError: the router gives all of them the same score.
    """
    columns = _Columns(policy, total, progress)
    for batch in _batches(calls):
        given = [
            sum(map(tokens_in, call.turns)) if call.input_tokens is None else call.input_tokens
            for call in batch
        ]
        answered = [np.nan if call.output_tokens is None else call.output_tokens for call in batch]
        columns.add([call.turns for call in batch], given, answered)
    return columns.sample()


def sample_of_labels(
    policy: RoutingPolicy,
    rows: Iterable[Labelled],
    *,
    total: int = 0,
    progress: Progress = SILENT,
) -> Sample:
    """Score labelled pairs; arguments and errors as for ``sample_of_calls``."""
    columns = _Columns(policy, total, progress)
    for batch in _batches(rows):
        nan = [np.nan] * len(batch)
        costs = [row.costs or (np.nan, np.nan) for row in batch]
        columns.add(
            [(row.prompt,) for row in batch],
            [tokens_in(row.prompt) for row in batch],
            nan,
            [row.strong for row in batch],
            [row.weak for row in batch],
            [strong for strong, _ in costs],
            [weak for _, weak in costs],
        )
    return columns.sample()


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


class _Columns:
    """Grows by a batch at a time: 8 bytes for a number, nothing of the text."""

    def __init__(self, policy: RoutingPolicy, total: int, progress: Progress) -> None:
        self._policy = policy
        self._total = total
        self._progress = progress
        self._digest = TextsDigest()
        self._later_turns = 0
        self._columns: list[array[float]] = []
        self._scores: array[float] = array("d")
        progress.stage(f"Scoring with {policy.settings.router}")

    def add(self, turns: list[tuple[str, ...]], *columns: list[float]) -> None:
        for texts in turns:
            self._later_turns += len(texts) > 1
            for text in texts:
                self._digest.add(text)
        self._scores.extend(self._policy.scores([Asked(texts) for texts in turns]))
        self._columns = self._columns or [array("d") for _ in columns]
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)
        done = len(self._scores)
        self._progress.step(done, max(done, self._total))

    def sample(self) -> Sample:
        scores = np.array(self._scores)
        sound = ~np.isnan(scores)
        if not sound.any():
            kinds = ", ".join(self._policy.errors) or "no text"
            raise DataError(
                f"router '{self._policy.settings.router}' could score no prompt ({kinds}): try "
                "`routellm score` on one of them"
            )
        scores = scores[sound]
        if len(scores) == 1:
            raise DataError("one prompt is no sample of your traffic: give some hundred")
        if np.ptp(scores) < _SAME:
            raise ConfigError(
                f"router '{self._policy.settings.router}' gives all {len(scores):,} prompts the "
                f"score {scores[0]:.4g}, so no threshold parts them: use another router, or "
                "prompts that differ"
            )
        columns = [np.array(column)[sound] for column in self._columns]
        given, answered, *labels = columns
        sample = Sample(scores, self._digest.value(), int((~sound).sum()), given, answered)
        if not labels:
            return replace(sample, later_turns=self._later_turns)
        strong, weak, strong_cost, weak_cost = labels
        known = None if np.isnan(strong_cost).any() else Costs(strong_cost, weak_cost)
        return Sample(scores, sample.digest, sample.failed, given, answered, strong, weak, known)
