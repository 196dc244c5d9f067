"""``sticky: conversation`` with a ``litellm.Router`` of an application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litellm import Router

from routellm_core import Decision
from routellm_plugins.litellm import install
from tests.fakes.routers import EASY, HARD
from tests.litellm.application.shared import WARNINGS, user
from tests.litellm.configs import alias

pytestmark = WARNINGS


@pytest.fixture
def sticky(model_list: list[dict[str, Any]]) -> Iterator[Router]:
    entry = alias("sticky", router="length", threshold=0.6, sticky="conversation")
    other = alias("other", router="length", threshold=0.6, sticky="conversation")
    router = Router(model_list=[*model_list, entry, other], num_retries=0)
    install(router)
    yield router
    router.discard()


def conversation(*texts: str) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": "You help."}]
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return messages[:-1]


async def test_a_conversation_stays_on_the_strong_model(
    sticky: Router, seen: list[Decision]
) -> None:
    for turns in (1, 2, 3):
        texts = ("Sticky?", HARD, EASY)[:turns]
        await sticky.acompletion("sticky", conversation(*texts))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    others = ({"tools": [tool]}, {"user": "another"}, {"metadata": {"user_api_key_hash": "1"}})
    for other in others:
        await sticky.acompletion("sticky", conversation("Sticky?", HARD, EASY), **other)
    await sticky.acompletion("other", conversation("Sticky?", HARD, EASY))
    causes = [(decision.tier, decision.cause) for decision in seen]
    assert causes[:3] == [("weak", "score"), ("strong", "score"), ("strong", "conversation")]
    assert causes[3:] == [("weak", "score")] * 4


@pytest.mark.parametrize("where", ["litellm_session_id", "metadata"])
async def test_a_session_id_names_the_conversation(
    sticky: Router, seen: list[Decision], where: str
) -> None:
    def session(name: str) -> dict[str, Any]:
        return {where: {"session_id": name} if where == "metadata" else name}

    await sticky.acompletion("sticky", user(HARD), **session(f"one {where}"))
    await sticky.acompletion("sticky", user(EASY), **session(f"one {where}"))
    await sticky.acompletion("sticky", user(EASY), **session(f"two {where}"))
    assert [decision.cause for decision in seen] == ["score", "conversation", "score"]
    assert [decision.tier for decision in seen] == ["strong", "strong", "weak"]


async def test_a_session_id_that_litellm_made_up_does_not_count(
    sticky: Router, seen: list[Decision]
) -> None:
    for number, texts in enumerate([("Made up?", HARD), ("Made up?", HARD, EASY)]):
        metadata = {"session_id": str(number), "litellm_session_id_generated": True}
        await sticky.acompletion(
            "sticky", conversation(*texts), metadata=metadata, litellm_session_id=str(number)
        )
    assert [decision.cause for decision in seen] == ["score", "conversation"]


async def test_the_responses_api_has_conversations_too(
    sticky: Router, seen: list[Decision]
) -> None:
    first = [*user("Responses?"), {"role": "assistant", "content": "Yes."}, *user(HARD)]
    later = [*first, {"role": "assistant", "content": "Yes."}, *user(EASY)]
    for given in (first, later):
        await sticky.aresponses(model="sticky", input=given, instructions="Be brief.")
    await sticky.aresponses(model="sticky", input=later, instructions="Be long.")
    assert [decision.cause for decision in seen] == ["score", "conversation", "score"]
