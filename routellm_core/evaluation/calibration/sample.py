"""Score prompts or labelled pairs while reading them; only numbers are kept."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ...checkpoints.learned import count_learned
from ...data.labelled import Labelled
from ...data.logs.call_forms import LoggedCall
from ...errors import ConfigError, DataError
from ...policy.policy import RoutingPolicy
from ...policy.score_stream import ScoreStream
from ...progress import SILENT, Progress
from ...rules.budget import Costs
from ...rules.prices import tokens_in
from ..metrics import Floats

_SAME = 1e-9
"""Scores that differ by less are one score."""


@dataclass(frozen=True)
class Sample:
    """The scores and other numbers of n prompts."""

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
    side_calls: int = 0
    """How many served the application (``side_calls``) and are not scored, beside the n."""
    repeated: int = 0
    """How many rows with labels have the prompt of an earlier one."""
    learned: int = 0
    """How many prompts with labels the router learned from."""


def sample_of_calls(
    policy: RoutingPolicy,
    calls: Iterable[LoggedCall],
    *,
    total: int = 0,
    progress: Progress = SILENT,
) -> Sample:
    """Score logged calls as a gateway with this policy would, follow-ups included.

    Args:
        policy: scores the calls; its threshold does not matter.
        calls: the calls, read one by one.
        total: approximate number of calls, for progress.
        progress: receives how many calls are scored.

    Raises:
        DataError: no call could be scored.
        ConfigError: the router gives all calls the same score.
    """
    stream = ScoreStream(policy, total=total, progress=progress)
    given, answered = array("d"), array("d")
    later_turns = 0
    for call in calls:
        is_side = stream.add(call.turns, call.messages)
        later_turns += len(call.turns) > 1 and not is_side
        tokens = call.input_tokens
        given.append(sum(map(tokens_in, call.turns)) if tokens is None else tokens)
        answered.append(math.nan if call.output_tokens is None else call.output_tokens)
    sample = _sample(stream, policy, given, answered)
    return replace(sample, later_turns=later_turns)


def sample_of_labels(
    policy: RoutingPolicy,
    rows: Iterable[Labelled],
    *,
    learned: frozenset[str] = frozenset(),
    total: int = 0,
    progress: Progress = SILENT,
) -> Sample:
    """Score labelled pairs; a prompt that occurs several times counts once, with means.
    ``learned`` are the short hashes of what the router learned, other arguments and errors are as
    for ``sample_of_calls``.
    """
    stream = ScoreStream(policy, total=total, progress=progress)
    given, unknown, times = array("d"), array("d"), array("L")
    means = [array("d") for _ in range(4)]
    places: dict[str, int] = {}
    for row in rows:
        at = places.setdefault(row.prompt, len(places))
        if at == len(given):
            stream.add((row.prompt,))
            given.append(tokens_in(row.prompt))
            unknown.append(math.nan)
            times.append(0)
            for mean in means:
                mean.append(0.0)
        times[at] += 1
        values = (row.strong, row.weak, *(row.costs or (math.nan, math.nan)))
        for mean, value in zip(means, values, strict=True):
            mean[at] += (value - mean[at]) / times[at]
    sample = _sample(stream, policy, given, unknown, *means)
    return replace(
        sample,
        repeated=sum(times) - len(places),
        learned=count_learned(places, learned),
    )


def _sample(stream: ScoreStream, policy: RoutingPolicy, *columns: array[float]) -> Sample:
    """Return what was scored, of columns of numbers: tokens given and answered and, for labels,
    qualities and costs of both models.
    """
    scores = stream.scores()
    sound = ~np.isnan(scores)
    of_side = int(stream.is_side.sum())
    if not sound.any():
        raise DataError(
            f"all {of_side:,} calls are side calls, such as titles and summaries, which are "
            "not scored: give prompts that people wrote"
        )
    failed = stream.failed(scores)
    scores = scores[sound]
    if len(scores) == 1:
        raise DataError("one prompt is not a sample of your traffic: give a few hundred")
    if np.ptp(scores) < _SAME:
        raise ConfigError(
            f"router '{policy.settings.router}' gives all {len(scores):,} prompts the "
            f"score {scores[0]:.4g}, so no threshold separates them: use another router, or "
            "prompts that differ"
        )
    given, answered, *labels = (np.array(column)[sound] for column in columns)
    sample = Sample(scores, stream.digest, failed, given, answered, side_calls=of_side)
    if not labels:
        return sample
    strong, weak, strong_cost, weak_cost = labels
    known = None if np.isnan(strong_cost).any() else Costs(strong_cost, weak_cost)
    return replace(sample, strong=strong, weak=weak, costs=known)
