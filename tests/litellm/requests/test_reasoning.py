"""What only its author can read of an answer does not reach the other group."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("litellm")

from litellm import Router

from routellm_core import Decision
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm import install
from routellm_plugins.litellm.deciding.answers import note_answers, tier_of_answers
from routellm_plugins.litellm.deciding.reasoning import drop_foreign_reasoning
from routellm_plugins.litellm.reporting.routed_request import RoutedRequest
from tests.fakes.client_shapes import EASY, HARD
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY as SHORT
from tests.litellm.application.shared import WARNINGS, answered_by, user
from tests.litellm.calls import post

pytestmark = WARNINGS

USER = {"role": "user", "content": "Prove it."}
CALL = {"id": "call_of_weak", "type": "function", "function": {"name": "f", "arguments": "{}"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
SIGNED: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "chat": (
        "messages",
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [CALL],
                "thinking_blocks": [THOUGHT],
            }
        ],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
    ),
    "messages": (
        "messages",
        [
            {
                "role": "assistant",
                "content": [THOUGHT, {"type": "tool_use", "id": "call_of_weak", "input": {}}],
            }
        ],
        [
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "call_of_weak", "input": {}}],
            }
        ],
    ),
    "responses": (
        "input",
        [
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "x"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_of_weak", "name": "f"},
        ],
        [{"type": "function_call", "call_id": "call_of_weak", "name": "f"}],
    ),
    "words": (
        "messages",
        [{"role": "assistant", "content": "Weak was here.", "reasoning_content": "Hm."}],
        [{"role": "assistant", "content": "Weak was here."}],
    ),
}


@pytest.fixture(autouse=True)
def _weak_answered() -> None:
    decision = Decision("weak", 0.5, 0.6, "length", "score", 0.1)
    routed = RoutedRequest("alias", "gpt-4o-mini", decision, None)
    kwargs = {"litellm_params": {"metadata": {"routellm": routed, "user_api_key_hash": "me"}}}
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    note_answers(kwargs, {"choices": [{"message": called}]})
    said = {"role": "assistant", "content": "Weak was here."}
    note_answers(kwargs, {"choices": [{"message": said}]})


def _request(key: str, answer: list[dict[str, Any]], caller: str = "me") -> dict[str, Any]:
    return {key: [USER, *answer, USER], "metadata": {"user_api_key_hash": caller}}


@pytest.mark.parametrize("form", SIGNED)
def test_it_is_left_out_for_the_other_group(form: str) -> None:
    key, answer, readable = SIGNED[form]
    request = _request(key, answer)
    given, before = request[key], copy.deepcopy(request[key])
    drop_foreign_reasoning("alias", "strong", request)
    assert request[key] == [USER, *readable, USER]
    assert given == before  # which logs may show


@pytest.mark.parametrize("form", SIGNED)
@pytest.mark.parametrize(
    ("alias", "tier", "caller"),
    [("alias", "weak", "me"), ("other", "strong", "me"), ("alias", "strong", "you")],
    ids=["its author", "another alias", "another caller"],
)
def test_it_stays_otherwise(form: str, alias: str, tier: Any, caller: str) -> None:
    key, answer, _ = SIGNED[form]
    request = _request(key, answer, caller)
    given = request[key]
    drop_foreign_reasoning(alias, tier, request)
    assert request[key] is given
    assert given == [USER, *answer, USER]


def test_through_a_proxy(proxy: ProxyProcess, strong: Upstream, weak: Upstream) -> None:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
    options = {"model": "router-length-0.95", "tools": [tool]}
    asked = post(proxy, "v1/responses", {"input": EASY, **options})
    (call,) = asked.json()["output"]
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "of weak"}
    returned = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    begun = [{"role": "user", "content": EASY}, thought, call, returned]
    for ask, upstream, reaches in ((EASY, weak, True), (HARD, strong, False)):
        for _ in range(40):  # LiteLLM logs after the answer
            messages = [*begun, {"role": "user", "content": ask}]
            went = post(proxy, "v1/responses", {"input": messages, **options})
            assert went.status_code == 200, went.text
            sent = "of weak" in str(upstream.requests[-1])
            if sent is reaches:
                break
            time.sleep(0.1)
        assert sent is reaches


@pytest.mark.parametrize("odd", [5, None, "", [], {}, {"tool_calls": 5, "content": 5}, [[5]]])
def test_messages_of_any_form_are_taken(odd: Any) -> None:
    answers = [
        {"role": "assistant", "content": odd, "tool_calls": odd, "thinking_blocks": [THOUGHT]},
        {"role": "assistant", "content": [odd], "tool_calls": [odd]},
        {"type": "function_call", "call_id": odd},
        {"type": "reasoning", "content": odd},
        odd,
    ]
    request = {"messages": answers, "input": answers}
    drop_foreign_reasoning("alias", "strong", request)
    assert request == {"messages": answers, "input": answers}
    assert tier_of_answers("alias", answers, request) is None


def _answered(router: Router, asked: str) -> list[dict[str, Any]]:
    """Return a conversation that begins with an ask, its answer with signed thinking."""
    answer = router.completion("gpt-4o-router", user(asked))
    said = answer.choices[0].message.model_dump(exclude_none=True)
    return [*user(asked), {**said, "thinking_blocks": [THOUGHT]}]


async def _sent(upstream: Upstream, call: Callable[[], Any], reaches: bool) -> None:
    """Make a call until its thinking reaches the upstream or not; LiteLLM logs after the answer."""
    for _ in range(40):
        answer = call()
        await answer if isawaitable(answer) else None
        sent = "'signature': 'sig'" in str(upstream.requests[-1])
        if sent is reaches:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(upstream.requests[-1])


async def test_in_an_application(router: Router, strong: Upstream, weak: Upstream) -> None:
    begun = _answered(router, f"{SHORT}{uuid4()}")
    for ask, upstream, reaches in ((SHORT, weak, True), (HARD, strong, False)):
        messages = [*begun, *user(ask)]
        given = copy.deepcopy(messages)
        await _sent(upstream, lambda m=messages: router.acompletion("gpt-4o-router", m), reaches)
        assert messages == given
        stream = await router.acompletion("gpt-4o-router", messages, stream=True)
        assert [chunk async for chunk in stream]
        assert ("'signature': 'sig'" in str(upstream.requests[-1])) is reaches
    # A group that is asked by its own name gets what it is sent.
    await _sent(strong, lambda: router.acompletion("gpt-4o", [*begun, *user(HARD)]), True)


def test_a_call_that_is_not_async_stays_with_the_author(
    router: Router, strong: Upstream, weak: Upstream
) -> None:
    begun = _answered(router, f"{SHORT}{uuid4()}")
    for _ in range(40):
        answer = router.completion("gpt-4o-router", [*begun, *user(HARD)])
        if answered_by(answer) == "gpt-4o-mini":
            break
        time.sleep(0.05)
    assert answered_by(answer) == "gpt-4o-mini"
    assert "'signature': 'sig'" in str(weak.requests[-1])
    plain = [{k: v for k, v in each.items() if k != "thinking_blocks"} for each in begun]
    assert answered_by(router.completion("gpt-4o-router", [*plain, *user(HARD)])) == "gpt-4o"


async def test_a_fallback_reads_its_own(
    model_list: list[dict[str, Any]], strong: Upstream, weak: Upstream
) -> None:
    router = Router(model_list=model_list, num_retries=0, fallbacks=[{"gpt-4o-mini": ["gpt-4o"]}])
    install(router)
    weak.failing_with = 500
    try:
        begun = _answered(router, f"{SHORT}{uuid4()}")
        assert begun[-1]["content"].startswith("gpt-4o ")
        again = [*begun, *user(SHORT)]
        await _sent(strong, lambda: router.acompletion("gpt-4o-router", again), True)
    finally:
        weak.failing_with = None
    # The fallback's thinking is not for the weak group, which was chosen and had not answered.
    await _sent(weak, lambda: router.acompletion("gpt-4o-router", again), False)
    router.discard()
