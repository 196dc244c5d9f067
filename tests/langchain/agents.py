"""What the tests of agents share: a tool, and who answered by which decision."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from routellm_core import Decision, hookimpl
from tests.fakes.routers import HARD

LENGTH: dict[str, Any] = {"router": "length", "threshold": 0.8}


class Decisions:
    """An observer that remembers every decision."""

    def __init__(self) -> None:
        self.made: list[Decision] = []

    @hookimpl
    def routellm_decided(self, decision: Decision) -> None:
        self.made.append(decision)


def lookup(city: str) -> str:
    """Look a city up; returns words that would score high."""
    return HARD * 3


def asked(*texts: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text) for text in texts]}


def who(output: dict[str, Any]) -> list[str]:
    """Return the models that answered in the last turn, call by call."""
    turn = output["messages"]
    last = max(at for at, message in enumerate(turn) if isinstance(message, HumanMessage))
    answers = [message for message in turn[last:] if isinstance(message, AIMessage)]
    return [message.response_metadata["model_name"] for message in answers]


def made(output: dict[str, Any]) -> dict[str, Any]:
    """Return the decision that the last answer carries."""
    decision: dict[str, Any] = output["messages"][-1].response_metadata["routellm"]
    return decision
