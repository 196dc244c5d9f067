"""Logged calls as columns of numbers: scored as they are read, nothing kept of the text."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.logs.call_forms import LoggedCall
from ...errors import DataError
from ...policy.policy import RoutingPolicy
from ...policy.score_stream import ScoreStream
from ...progress import SILENT, Progress
from ...rules.momentum import deciding_turns
from ...rules.prices import tokens_in
from .kinds import kind_of
from .names import shown_name

Floats = NDArray[np.float64]
Names = tuple[str, ...]

_MOST_NAMES = 10_000
"""Different names of a column; the calls of further ones are counted as ``OTHERS``."""

OTHERS = "(others)"
NOT_SAID = "(not said)"

FIRST, OWN_QUESTION, FOLLOW_UP, STEP, SIDE = TURNS = (
    *("first turn", "later turn, a question of its own", "later turn, a follow-up"),
    *("agent's step on the same turn", "side call (title, summary, ...)"),
)
"""What a call is in its conversation."""

COLUMNS = ("route", "key", "team", "day", "kind", "turn")
"""By which calls are told apart."""


@dataclass(frozen=True)
class Calls:
    """n logged calls, as numbers: about 100 bytes each."""

    scores: Floats
    """Shape (n,); NaN for a side call, which is not scored, and where scoring failed."""
    given: Floats
    """Tokens that each call gave to read, as logged or predicted from its messages."""
    answered: Floats
    """Tokens of each answer; NaN where the log does not say."""
    cached: Floats
    """Of those given, the tokens read from a prompt cache; NaN likewise."""
    written: Floats
    """Of those given, the tokens written into it; NaN likewise."""
    when: Floats
    """Seconds since 1970; NaN likewise."""
    spend: Floats
    """Dollars; NaN likewise."""
    conversation: NDArray[np.uint64]
    """Digest of what names its conversation, or of how that begins."""
    answer: NDArray[np.uint64]
    """Digest of the first answer in it, which parts conversations that begin alike; 0 if it has
    none, or the conversation has a name."""
    messages: NDArray[np.uint32]
    """How many messages it holds."""
    labels: Mapping[str, NDArray[np.uint16]]
    """By each of ``COLUMNS`` the position of its name."""
    names: Mapping[str, Names]
    """By each of ``COLUMNS`` the names, as they may be shown."""
    predicted: int
    """Of how many calls the tokens given are predicted."""
    digest: str
    """SHA-256 of the prompts, in their order."""
    failed: int
    """How many could not be scored."""
    repeated: int = 0
    """How many the gateway answered from a cache of its own; their tokens are 0."""

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def is_side(self) -> NDArray[np.bool_]:
        """Which calls serve the application and no human."""
        found: NDArray[np.bool_] = self.labels["turn"] == self.names["turn"].index(SIDE)
        return found


def read_columns(
    policy: RoutingPolicy,
    calls: Iterable[LoggedCall],
    *,
    total: int = 0,
    progress: Progress = SILENT,
) -> Calls:
    """Score logged calls as a gateway with this policy would, and keep numbers of them.

    Args:
        policy: scores; its threshold does not matter.
        calls: read one by one.
        total: about how many there are.
        progress: receives how many are scored.

    Raises:
        DataError: there are none, or the router could score none.
    """
    columns = _Columns(ScoreStream(policy, total=total, progress=progress), policy.settings.turns)
    for call in calls:
        columns.add(call)
    return columns.calls()


class _Labels:
    """Names of a column, numbered as they come."""

    def __init__(self, names: Names = ()) -> None:
        self.numbers = {name: number for number, name in enumerate((*names, *_RESERVED))}
        self.values: array[int] = array("H")

    def add(self, name: str | None) -> None:
        name = NOT_SAID if name is None else name
        if name not in self.numbers and len(self.numbers) >= _MOST_NAMES:
            name = OTHERS
        self.values.append(self.numbers.setdefault(name, len(self.numbers)))


_RESERVED = (NOT_SAID, OTHERS)
_NUMBERS = ("given", "answered", "cached", "written", "when", "spend")


class _Columns:
    def __init__(self, stream: ScoreStream, turns: int) -> None:
        self._stream = stream
        self._turns = turns
        self._numbers: dict[str, array[float]] = {name: array("d") for name in _NUMBERS}
        self._conversation: array[int] = array("Q")
        self._answer: array[int] = array("Q")
        self._messages: array[int] = array("I")
        self._labels = {name: _Labels() for name in COLUMNS}
        self._labels["turn"] = _Labels(TURNS)
        self._predicted = self._repeated = 0

    def add(self, call: LoggedCall) -> None:
        is_side = self._stream.add(call.turns, call.messages)
        self._add_numbers(call)
        self._conversation.append(_conversation(call))
        self._answer.append(0 if call.facts.conversation else _first_answer(call.messages))
        self._messages.append(len(call.messages))
        self._add_labels(call, is_side)

    def _add_numbers(self, call: LoggedCall) -> None:
        facts = call.facts
        given, answered = _or_nan(call.input_tokens), _or_nan(call.output_tokens)
        if facts.from_gateway_cache:
            given = answered = 0.0
            self._repeated += 1
        elif call.input_tokens is None:
            given = sum(map(tokens_in, _texts(call.messages)))
            self._predicted += 1
        others = (facts.cached, facts.written, facts.when, facts.spend)
        for name, number in zip(_NUMBERS, (given, answered, *map(_or_nan, others)), strict=True):
            self._numbers[name].append(number)

    def _add_labels(self, call: LoggedCall, is_side: bool) -> None:
        facts, last = call.facts, len(call.turns) - 1
        deciding = deciding_turns(call.turns, self._turns) if last else [0]
        turn = SIDE if is_side else _turn(call, last, deciding != [last])
        day = None if facts.when is None else str(np.datetime64(int(facts.when), "s"))[:10]
        kind = kind_of(call.turns[deciding[0]])
        names = (facts.route, facts.key, facts.team, day, kind, turn)
        for column, name in zip(COLUMNS, names, strict=True):
            self._labels[column].add(name)

    def calls(self) -> Calls:
        if not self._messages:
            raise DataError("there are no calls to audit")
        scores = self._stream.scores()
        labels = {
            name: np.frombuffer(each.values, np.uint16) for name, each in self._labels.items()
        }
        return Calls(
            scores=scores,
            **{name: np.frombuffer(values) for name, values in self._numbers.items()},
            conversation=np.frombuffer(self._conversation, np.uint64),
            answer=np.frombuffer(self._answer, np.uint64),
            messages=np.frombuffer(self._messages, np.uint32),
            labels=labels,
            names={name: _distinct(each.numbers) for name, each in self._labels.items()},
            predicted=self._predicted,
            digest=self._stream.digest,
            failed=self._stream.failed(scores),
            repeated=self._repeated,
        )


def _turn(call: LoggedCall, last: int, is_follow_up: bool) -> str:
    if _is_step(call.messages):
        return STEP
    if not last:
        return FIRST
    return FOLLOW_UP if is_follow_up else OWN_QUESTION


def _is_step(messages: Iterable[Any]) -> bool:
    """Whether the last message is a tool's or the model's own, not the human's."""
    last = None
    for message in messages:
        if isinstance(message, Mapping) and message.get("role") not in ("system", "developer"):
            last = message
    if last is None or last.get("role", last.get("type")) != "user":
        return last is not None
    content = last.get("content")
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, Mapping) and part.get("type") == "tool_result" for part in parts)


def _conversation(call: LoggedCall) -> int:
    """Return a digest of what names a call's conversation, or of how it begins."""
    parts = [call.facts.conversation or ""]
    if not call.facts.conversation:
        parts = [call.facts.key or "", call.facts.team or "", call.turns[0]]
        for message in call.messages:
            if isinstance(message, Mapping) and message.get("role") in ("system", "developer"):
                parts += _texts([message])
            else:
                break
    return _digest(parts)


def _first_answer(messages: Iterable[Any]) -> int:
    for message in messages:
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            called = json.dumps(message.get("tool_calls"), default=str)
            return _digest([*_texts([message]), called])
    return 0


def _digest(parts: Iterable[str]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d\0" % len(data) + data)
    return int.from_bytes(digest.digest(), "big")


def _texts(messages: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        parts = content if isinstance(content, list) else [content]
        for part in parts:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                found.append(text)
    return found


def _distinct(numbers: Mapping[str, int]) -> Names:
    """Return the names as they may be shown, no two of them the same."""
    names: dict[str, None] = {}
    for name in numbers:
        shown = plain = shown_name(name)
        again = 1
        while shown in names:
            again += 1
            shown = f"{plain} ({again})"
        names[shown] = None
    return tuple(names)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
