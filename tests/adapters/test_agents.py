"""The steps of an agent's loop stay on the model of their task, in every adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.cases import LENGTH, WARNINGS, Content, Said, outcome
from tests.fakes.routers import EASY, HARD

pytestmark = WARNINGS

THOUGHT = ("assistant", "Thought: I look it up.\nAction: search")
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "see", "arguments": "{}"}}],
}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
IMAGE = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "auto"}}


def returned(text: str) -> dict[str, Any]:
    """Return the message with a tool's result."""
    return {"role": "tool", "tool_call_id": "1", "content": text}


STEPS: dict[str, Callable[[str, str], tuple[list[Said], Content]]] = {
    "an image after a tool's result": lambda ask, other: (
        [("user", ask), CALL, returned(other)],
        [IMAGE],
    ),
    "frames of a video after a tool's result": lambda ask, other: (
        [("user", ask), CALL, returned(other)],
        [
            {"type": "text", "text": f"Reading first 9s of /{other}.mp4 at 1.0 fps."},
            {"type": "text", "text": "Frame at 00:00:00.000"},
            IMAGE,
        ],
    ),
    "a reminder after a tool's result": lambda ask, other: (
        [("user", ask), CALL, returned(other)],
        f"<system-reminder>\n{other}\n</system-reminder>",
    ),
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
    "summarised, with the ask kept": lambda ask, other: (
        [
            ("user", f"Here is a summary of the conversation to date:\n\n{other}"),
            ("user", ask),
            CALL,
            returned(other),
        ],
        f"<system-reminder>\n{other}\n</system-reminder>",
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


def test_a_loop_without_the_humans_words_stays_where_it_was(adapter: Any) -> None:
    for ask, tier, other in ((HARD, "strong", "weak"), (EASY, "weak", "strong")):
        report = adapter(**LENGTH, on_no_text=other).trimmed(ask)
        assert outcome(report) == (tier, tier, None, "conversation")


def test_a_loop_of_unknown_origin_goes_where_calls_without_text_go(adapter: Any) -> None:
    history = [CALL, returned(HARD)]
    for tier in ("strong", "weak"):
        report = adapter(**LENGTH, on_no_text=tier).ask(None, history=history)
        assert outcome(report) == (tier, tier, None, "no_text")
