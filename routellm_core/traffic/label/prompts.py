"""Read the prompts that are to be labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...data.digests import sha256_of
from ...data.logs.call_forms import LoggedCall, SeenSpans, calls_in
from ...data.logs.calls import REMEDY, Skipped
from ...data.tables import table_rows
from ...decision import Tier
from ...errors import DataError
from ...prompt.reading import system_text
from ...prompt.side_calls import is_side_call
from ...prompt.turns import human_turns
from ...rules.contents import contents_of

FOLLOW_UP = "a follow-up, which cannot be asked again without the answers before it"
_SIDE = "a side call, such as a title or a summary, which no threshold decides"
_NO_WORDS = "a prompt with images or files, which are not asked"
_REPEATED = "a prompt that another row has: each is labelled once"


@dataclass(frozen=True)
class Given:
    """An answer that is known without asking again."""

    model: str
    """Who gave it, as the store knows it."""
    text: str
    cost: float | None
    """In dollars."""


@dataclass(frozen=True)
class Prompt:
    """What a human asked."""

    text: str
    answer: str | None = None
    """The right answer, where the file has a column ``answer``."""
    row: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """All that the file says of it."""
    request_id: str | None = None
    """By which a store knows the request, where the file is an export of one."""
    given: Mapping[Tier, Given] = field(default_factory=dict)
    """Answers that a store has kept."""
    system: str = ""
    """The system prompt of the call; empty if it had none."""

    @property
    def key(self) -> str:
        """What the answers depend on: the text, and a digest of the system prompt."""
        if not self.system:
            return self.text
        return f"{self.text}\n(system prompt {sha256_of(self.system)[:16]})"

    @property
    def messages(self) -> list[dict[str, str]]:
        """What the models are asked."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.text}]

    @property
    def request(self) -> str:
        """What a judge is told that they were asked."""
        if not self.system:
            return self.text
        return f"System prompt:\n{self.system}\n\nMessage of the user:\n{self.text}"


def read_prompts(path: Path, skipped: Skipped) -> list[Prompt]:
    """Return the prompts of a file, each once, in its order.

    Args:
        path: prompts or logs of calls, in any form that ``read_calls`` takes, or what `routellm
            store export` writes.
        skipped: is told of rows that cannot be labelled.

    Raises:
        DataError: the file cannot be read, or holds no prompt.
    """
    found: dict[str, Prompt] = {}
    spans = SeenSpans()
    for where, row in table_rows(path, REMEDY):
        answer = row.get("answer")
        for call in calls_in(row, spans):
            if isinstance(call, str):
                skipped.note(where, call)
                continue
            # A conversation may stand beside the prompt, as in what a store exports.
            beside = row.get("messages") if isinstance(row.get("prompt"), str) else None
            messages = beside if isinstance(beside, list) else call.messages
            given, text = _given(row), call.turns[0]
            if why := _left_out(call, messages, given):
                skipped.note(where, why)
                continue
            known_before = found.get(text)
            if known_before is not None:
                skipped.note(where, _REPEATED)
            # Of a store's requests, one that both models answered can be judged.
            if known_before is None or len(given) > len(known_before.given):
                right = None if answer is None or not str(answer).strip() else str(answer)
                known = row.get("request_id")
                request_id = known if isinstance(known, str) else None
                found[text] = Prompt(text, right, row, request_id, given, system_text(messages))
    if not found:
        reasons = "; ".join(skipped.lines())
        raise DataError(f"{path} holds no prompt to label: {reasons or REMEDY}")
    return list(found.values())


def _left_out(call: LoggedCall, messages: Sequence[Any], given: Mapping[Tier, Given]) -> str | None:
    """Return why a call cannot be labelled; None if it can."""
    if len(call.turns) > 1 or len(human_turns(messages)) > 1:
        return FOLLOW_UP
    if is_side_call(messages):
        return _SIDE
    # Answers that are known were given to all of it.
    return _NO_WORDS if contents_of(messages).kinds and len(given) < 2 else None


def _given(row: Mapping[str, Any]) -> dict[Tier, Given]:
    """Return the answers in a row of `routellm store export`."""
    tiers: tuple[Tier, ...] = ("strong", "weak")
    columns = [row.get(name) for name in ("answers", "models", "costs")]
    answers, models, costs = (each if isinstance(each, Mapping) else {} for each in columns)
    found: dict[Tier, Given] = {}
    for tier in tiers:
        text, model, cost = answers.get(tier), models.get(tier), costs.get(tier)
        if isinstance(text, str) and isinstance(model, str):
            known = float(cost) if isinstance(cost, (int, float)) else None
            found[tier] = Given(model, text, known)
    return found
