"""The steps of an agent's loop stay on the model of their task, in every adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.cases import LENGTH, WARNINGS
from tests.fakes.routers import EASY, HARD

pytestmark = WARNINGS

THOUGHT = ("assistant", "Thought: I look it up.\nAction: search")
STEPS: dict[str, Callable[[str, str], tuple[list[tuple[str, str]], str]]] = {
    "text ReAct": lambda ask, other: ([("user", ask), THOUGHT], f"Observation: {other}"),
    "a command's result": lambda ask, other: (
        [("user", ask), THOUGHT],
        f"<returncode>0</returncode>\n<output>\n{other}\n</output>",
    ),
    "a harness's reminder": lambda ask, other: (
        [("user", ask), ("assistant", "Done.")],
        f"<system-reminder>\n{other}\n</system-reminder>",
    ),
    "summarised before the ask": lambda ask, other: (
        [("user", f"Here is a summary of the conversation to date:\n\n{other}")],
        ask,
    ),
    "summarised after the ask": lambda ask, other: (
        [("user", ask), ("assistant", "Done.")],
        "Another language model started to solve this problem and produced a summary of it: "
        + other,
    ),
    "trimmed to the last turns": lambda ask, other: (
        [("assistant", other), ("user", ask), ("assistant", "Done.")],
        "continue",
    ),
}
"""What agents send after an ask: the messages before, and the last one."""


@pytest.mark.parametrize("step", STEPS)
def test_an_agent_keeps_its_model_through_its_loop(adapter: Any, step: str) -> None:
    asking = adapter(**LENGTH)
    for ask, other, tier in ((HARD, EASY, "strong"), (EASY, HARD, "weak")):
        history, last = STEPS[step](ask, other)
        report = asking.ask(last, history=history)
        assert (report["served"], report["score"]) == (tier, asking.ask(ask)["score"])
