"""A stand-in for two models and a judge, that can be biased, talk nonsense, fail or hang."""

from __future__ import annotations

import re
import time
from typing import Any

from routellm_plugins.demo.standin.answers import Answer
from tests.fakes.openai_upstream import Upstream

BIG, SMALL, JUDGE = "big", "small", "judge"


class JudgeUpstream(Upstream):
    """Answers as ``big``, which is always right, as ``small``, which fails where a prompt says
    "hard", or as ``judge``, who knows.

    Attributes:
        mood: of the judge: ``fair``, ``first`` (the answer shown first is better), ``nonsense``.
        failing: models that fail, with the HTTP status.
        hanging: models that answer after so many seconds.
        most: requests that are answered; further ones get 402.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mood = "fair"
        self.failing: dict[str, int] = {}
        self.hanging: dict[str, float] = {}
        self.most: int | None = None

    def of(self, model: str) -> list[dict[str, Any]]:
        """Return the requests to a model."""
        return [request for request in self.requests if request["model"] == model]

    def fault(self, body: dict[str, Any]) -> int | None:
        time.sleep(self.hanging.get(str(body["model"]), 0.0))
        if self.most is not None and len(self.requests) > self.most:
            return 402
        return self.failing.get(str(body["model"]))

    def answer(self, body: dict[str, Any]) -> Answer:
        model, text = str(body["model"]), str(body["messages"][-1]["content"])
        if model == BIG:
            said = "Thought through. The answer is: right"
        elif model == SMALL:
            said = "wrong" if "hard" in text else "The answer is: right"
        else:
            said = self._judged(text)
        return Answer(model, said, None, "", 1000)

    def _judged(self, text: str) -> str:
        if self.mood == "nonsense":
            return "As a model I like both."
        if "<reference>" in text:
            answer = re.findall(r"<answer>\n(.*?)\n</answer>", text, re.DOTALL)[-1]
            return "Hm. [[5]]" if "right" in answer else "No. [[1]]"
        if self.mood == "first":
            return "[[A]]"
        first, second = (
            "right" in re.findall(rf"<answer_{side}>\n(.*?)\n</answer_{side}>", text, re.DOTALL)[-1]
            for side in "ab"
        )
        return "Both. [[C]]" if first == second else "One. [[A]]" if first else "Two. [[B]]"
