"""``hold: cache`` keeps a conversation on its model, the same in every adapter."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.cases import LENGTH, WARNINGS, Adapter, outcome
from tests.fakes.routers import EASY, HARD

pytestmark = WARNINGS


@pytest.mark.parametrize(("weak_price", "tier"), [([5, 10], "strong"), ([0.5, 1], "weak")])
def test_a_prompt_cache_that_is_warm_holds_a_conversation(
    kind: type[Adapter], adapter: Any, weak_price: list[float], tier: str
) -> None:
    # At half the price the weak model pays after 11.5 calls, at a twentieth after .6.
    held = {"hold": "cache", "strong_price": [10, 20], "weak_price": weak_price}
    begun = [("system", f"{kind.name} {tier} " + "rules " * 1_000)]
    for settings in (held, {**held, "hold": "off"}):
        asking = adapter(**LENGTH, **settings)
        asking.ask(HARD, history=begun)
        told = [*begun, ("user", HARD), ("assistant", "Done.")]
        report = asking.ask(EASY, history=told)
        if settings["hold"] == "off" or tier == "weak":
            assert outcome(report) == ("weak", "weak", 0.5, "score")
        else:
            assert outcome(report) == ("strong", "strong", 0.5, "cache")
        # Another beginning, or a short one, was never read.
        changed = [("system", "Other " + begun[0][1]), *told[1:]]
        assert outcome(asking.ask(EASY, history=changed))[0] == "weak"
        assert outcome(asking.ask(EASY, history=told[1:]))[0] == "weak"


def test_what_one_strong_model_read_is_not_warm_for_another(
    kind: type[Adapter], adapter: Any
) -> None:
    held = {**LENGTH, "hold": "cache", "strong_price": [10, 20], "weak_price": [5, 10]}
    begun = [("system", f"{kind.name} of two pairs " + "rules " * 1_000)]
    told = [*begun, ("user", HARD), ("assistant", "Done.")]
    one, other = adapter(**held), adapter(strong="other", **held)
    one.ask(HARD, history=begun)
    assert outcome(other.ask(EASY, history=told))[0] == "weak"
    assert outcome(one.ask(EASY, history=told))[0] == "strong"
