"""Requests and answers, as adapters make them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from routellm_core import Decision, Tier
from routellm_core.traffic.store.kept import Answer, Request

DAY_S = 86_400.0


def decision(score: float = 0.4, tier: Tier = "weak") -> Decision:
    return Decision(tier, score, 0.5, "length", "score", 0.1)


def request(request_id: str = "r1", **changes: Any) -> Request:
    made = Request(
        request_id,
        at=time.time(),
        route="chat",
        decision=decision(),
        answer_id=f"answer-{request_id}",
        turns=1,
        prompt="Why is the sky blue?",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
        sampled=True,
    )
    return replace(made, **changes)


def answer(tier: Tier = "weak", **changes: Any) -> Answer:
    made = Answer(tier, f"{tier}-model", "Because.", None, None, 100, 20, 10, 0.001, 12.0)
    return replace(made, **changes)
