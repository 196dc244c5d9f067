"""What a model can do is checked before what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from routellm_core import Asked, RoutingPolicy
from routellm_core.rules.fits import Abilities, Needs, lacking, lacks, only_able, tokens_at_most
from tests.fakes import routers
from tests.fakes.routers import EASY, HARD


@pytest.mark.parametrize(
    ("needs", "abilities", "cause"),
    [
        (Needs(tokens=101), Abilities(context_window=100), "context_window"),
        (Needs(tokens=100), Abilities(context_window=100), None),
        (Needs(images=True), Abilities(images=False), "vision"),
        (Needs(images=True), Abilities(images=True), None),
        (Needs(audio=True), Abilities(audio=False), "audio"),
        (Needs(video=True), Abilities(video=False), "video"),
        (Needs(files=True), Abilities(files=False), "files"),
        (Needs(tools=True), Abilities(tools=False), "tools"),
        (Needs(10**9, True, True, True, True, True), Abilities(), None),
        (Needs(), Abilities(0, False, False, False, False, False), None),
    ],
)
def test_what_a_model_lacks(needs: Needs, abilities: Abilities, cause: str | None) -> None:
    assert lacks(needs, abilities) == cause


@pytest.mark.parametrize(
    ("tokens", "windows", "lack"),
    [
        (50, (100, 100), set()),
        (150, (200, 100), {"weak"}),
        (150, (100, 200), {"strong"}),
        (250, (200, 100), {"weak"}),  # above the estimate, yet it may fit the longer one
        (250, (100, 100), set()),
        (700, (200, 100), {"strong", "weak"}),
        (700, (None, 100), {"weak"}),
    ],
)
def test_a_prompt_that_may_be_too_long(tokens: int, windows: Any, lack: set[str]) -> None:
    models: Any = {
        tier: Abilities(context_window=window)
        for tier, window in zip(("strong", "weak"), windows, strict=True)
    }
    assert set(lacking(Needs(tokens=tokens), models)) == lack


def test_who_is_left() -> None:
    assert only_able({}) is None
    assert only_able({"weak": "vision"}) == ("strong", "vision")
    assert only_able({"strong": "tools"}) == ("weak", "tools")
    assert only_able({"strong": "tools", "weak": "vision"}) == ("strong", "vision")


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 20,
        "def f(x):\n    return [y ** 2 for y in range(x) if y % 3 == 0]\n" * 20,
        "证明根号二是无理数。" * 20,
        "Der Donaudampfschifffahrtsgesellschaftskapitän fuhr los. " * 20,
        "\ud800",
    ],
)
def test_the_estimate_is_an_upper_one(text: str) -> None:
    words = len(text) // 5 if text.isascii() else len(text)
    assert tokens_at_most([text]) >= min(words, len(text.encode("utf-8", "replace")) // 4)
    assert tokens_at_most([text]) == pytest.approx(tokens_at_most([text] * 10) / 10, abs=1)


async def test_what_cannot_serve_is_not_chosen(plugin: Any) -> None:
    plugin(routers)
    policy = RoutingPolicy("length", threshold=0.8)
    asked: list[tuple[Asked, tuple[str, str]]] = [
        (Asked((EASY,)), ("weak", "score")),
        (Asked((EASY,), lacking={"weak": "vision"}), ("strong", "vision")),
        (Asked((HARD,), lacking={"strong": "tools"}), ("weak", "tools")),
        (Asked((HARD,), lacking={"strong": "tools", "weak": "tools"}), ("strong", "tools")),
        (Asked(settled="weak", lacking={"weak": "audio"}), ("strong", "audio")),
        (Asked(lacking={"strong": "audio"}), ("weak", "audio")),
        (Asked(without_text="weak", lacking={"weak": "files"}), ("strong", "files")),
    ]
    decisions = policy.decide_many([each for each, _ in asked])
    for (each, expected), together in zip(asked, decisions, strict=True):
        for decision in (policy.decide(each), await policy.adecide(each), together):
            assert (decision.tier, decision.cause) == expected
