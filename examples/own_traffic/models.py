"""Stand-in models of the shop: a strong one, a weak one and a judge, which knows a right answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from routellm_core.decision import Tier
from routellm_plugins.demo.standin import StandIn
from routellm_plugins.demo.standin.answers import Answer

from .world import STRONG, WEAK, World, is_right

_RIGHT = "Here is the whole answer, step by step, as our handbook has it."
_WRONG = "That depends; I would guess so."
_READ = 400
"""Tokens of the system prompt and the handbook pages that come with each question."""


class Models(StandIn):
    """Serves the models by their names.

    Args:
        world: what is asked, and the truth about it.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        names: Mapping[Tier, str] = {"strong": STRONG, "weak": WEAK}
        self._right = {
            (name, prompt): is_right(name, prompt, probability)
            for tier, name in names.items()
            for prompt, probability in zip(world.prompts, world.right[tier], strict=True)
        }

    def answer(self, body: dict[str, Any]) -> Answer:
        """Return a model's answer, or the judge's verdict."""
        model, asked = str(body["model"]), str(body["messages"][-1]["content"])
        if model in (STRONG, WEAK):
            right = self._right.get((model, asked), True)
            # The strong model is the more talkative one.
            said = (_RIGHT if right else _WRONG) + " Ask again at any time." * (
                3 * (model == STRONG)
            )
            return Answer(model, f"{said} ({model})", None, "", _READ + len(asked) // 4)
        first, second = (
            _RIGHT in re.findall(rf"<answer_{side}>\n(.*?)\n</answer_{side}>", asked, re.DOTALL)[-1]
            for side in "ab"
        )
        verdict = "[[C]]" if first == second else "[[A]]" if first else "[[B]]"
        return Answer(model, f"Compared with the handbook. {verdict}", None, "", len(asked) // 4)
