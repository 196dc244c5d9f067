"""An unchanged openai client behind a real proxy: each request goes where its score says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD, LengthRouter
from tests.litellm.configs import KEY

ALIAS = "gpt-4o-router"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
FLAT_WEATHER = {"type": "function", **WEATHER["function"]}
SPLIT = pytest.mark.parametrize(
    ("prompt", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")], ids=["easy", "hard"]
)


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def answered_by(text: str | None) -> str:
    return (text or "").split(" ")[0]


@SPLIT
def test_the_score_decides_and_is_in_the_headers(client: OpenAI, prompt: str, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=ALIAS, messages=user(prompt))
    answer = raw.parse()
    assert answered_by(answer.choices[0].message.content) == model
    assert answer.model == ALIAS
    assert answer.usage is not None
    score = float(LengthRouter().score([prompt])[0])
    assert raw.headers["x-routellm-model"] == model
    assert raw.headers["x-routellm-tier"] == ("strong" if score >= 0.6 else "weak")
    assert float(raw.headers["x-routellm-score"]) == pytest.approx(score)
    assert float(raw.headers["x-routellm-threshold"]) == 0.6
    assert raw.headers["x-routellm-router"] == "length"
    assert raw.headers["x-routellm-cause"] == "score"
    assert float(raw.headers["x-routellm-duration-ms"]) < 1000


@SPLIT
def test_streaming(client: OpenAI, prompt: str, model: str) -> None:
    with client.chat.completions.with_streaming_response.create(
        model=ALIAS, messages=user(prompt), stream=True, stream_options={"include_usage": True}
    ) as response:
        assert response.headers["x-routellm-model"] == model
        chunks = list(response.parse())
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert answered_by(text) == model
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@SPLIT
@pytest.mark.parametrize("stream", [False, True])
def test_tools(client: OpenAI, weak: Upstream, prompt: str, model: str, stream: bool) -> None:
    answer = client.chat.completions.create(
        model=ALIAS, messages=user(prompt), tools=[WEATHER], stream=stream
    )
    if stream:
        calls = [c.choices[0].delta.tool_calls for c in answer if c.choices]
        names = [call[0].function.name for call in calls if call and call[0].function.name]
    else:
        names = [call.function.name for call in answer.choices[0].message.tool_calls]
    assert names == ["get_weather"]


@SPLIT
def test_a_tool_loop_stays_on_its_model(client: OpenAI, prompt: str, model: str) -> None:
    messages: list[Any] = user(prompt)
    for _ in range(3):
        raw = client.chat.completions.with_raw_response.create(
            model=ALIAS, messages=messages, tools=[WEATHER]
        )
        assert raw.headers["x-routellm-model"] == model
        call = (raw.parse().choices[0].message.tool_calls or [None])[0]
        if call is None:
            return
        messages += [
            {"role": "assistant", "tool_calls": [call.model_dump()]},
            {"role": "tool", "tool_call_id": call.id, "content": "rain " * 50},
        ]
    raise AssertionError("the loop did not end")


@SPLIT
def test_list_content(client: OpenAI, prompt: str, model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    raw = client.chat.completions.with_raw_response.create(
        model=ALIAS, messages=user([{"type": "text", "text": prompt}, image])
    )
    assert raw.headers["x-routellm-model"] == model
    assert answered_by(raw.parse().choices[0].message.content) == model


def test_an_image_alone_goes_to_the_strong_model(client: OpenAI) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    raw = client.chat.completions.with_raw_response.create(model=ALIAS, messages=user([image]))
    assert raw.headers["x-routellm-model"] == "gpt-4o"
    assert raw.headers["x-routellm-cause"] == "no_text"
    assert "x-routellm-score" not in raw.headers


async def test_fifty_in_flight(async_client: AsyncOpenAI) -> None:
    prompts = [" ".join(["word"] * (1 + i % 12)) + f" number{i}" for i in range(50)]

    async def ask(prompt: str) -> str:
        answer = await async_client.chat.completions.create(model=ALIAS, messages=user(prompt))
        return answered_by(answer.choices[0].message.content)

    answers = await asyncio.gather(*(ask(prompt) for prompt in prompts))
    scores = LengthRouter().score(prompts)
    assert answers == ["gpt-4o" if score >= 0.6 else "gpt-4o-mini" for score in scores]
    assert set(answers) == {"gpt-4o", "gpt-4o-mini"}


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini"])
@pytest.mark.parametrize("prompt", [EASY, HARD])
def test_explicit_groups_are_left_alone(client: OpenAI, model: str, prompt: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=user(prompt))
    assert answered_by(raw.parse().choices[0].message.content) == model
    assert not [name for name in raw.headers if name.startswith("x-routellm")]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("router-length-0.4", "gpt-4o"),
        ("router-length-0.6", "gpt-4o-mini"),
        ("smart", "gpt-4o-mini"),
    ],
)
def test_names_that_stand_for_a_route(client: OpenAI, name: str, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=name, messages=user(EASY))
    assert answered_by(raw.parse().choices[0].message.content) == model


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("router-lenght-0.4", "no router named 'lenght': did you mean 'length'?"),
        ("router-length-1.4", "the threshold 1.4 must be in [0, 1]"),
        ("router-length", "write router-<name>-<threshold>"),
    ],
)
def test_a_wrong_name_is_answered_with_what_to_write(
    client: OpenAI, name: str, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message.replace("[", r"\[").replace("?", r"\?")):
        client.chat.completions.create(model=name, messages=user(EASY))


def test_a_long_name_is_answered_in_short(client: OpenAI, proxy: ProxyProcess) -> None:
    with pytest.raises(
        BadRequestError, match=r"router-1-1.+\.\.\.': write router-<name>-"
    ) as error:
        client.chat.completions.create(model="router" + "-1" * 50_000, messages=user(EASY))
    assert len(str(error.value)) < 400
    assert "-1" * 100 not in proxy.log


@SPLIT
def test_the_responses_api(client: OpenAI, prompt: str, model: str) -> None:
    raw = client.responses.with_raw_response.create(model=ALIAS, input=prompt)
    assert answered_by(raw.parse().output_text) == model
    assert raw.headers["x-routellm-model"] == model
    events = list(client.responses.create(model=ALIAS, input=user(prompt), stream=True))
    assert events[-1].type == "response.completed"
    assert answered_by(events[-1].response.output_text) == model


@SPLIT
def test_a_tool_loop_of_the_responses_api(client: OpenAI, prompt: str, model: str) -> None:
    first = client.responses.create(model=ALIAS, input=user(prompt), tools=[FLAT_WEATHER])
    call = first.output[0].model_dump()
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain " * 50}
    for step in (
        {"input": [*user(prompt), call, result]},
        {"input": [result], "previous_response_id": first.id},
    ):
        raw = client.responses.with_raw_response.create(model=ALIAS, tools=[FLAT_WEATHER], **step)
        assert raw.headers["x-routellm-model"] == model
        assert answered_by(raw.parse().output_text) == model


@SPLIT
def test_a_stored_conversation_stays_on_its_model(client: OpenAI, prompt: str, model: str) -> None:
    response = client.responses.create(model=ALIAS, input=prompt)
    for words in (HARD, EASY):
        raw = client.responses.with_raw_response.create(
            model=ALIAS, input=words, previous_response_id=response.id
        )
        response = raw.parse()
        assert answered_by(response.output_text) == model
        assert raw.headers["x-routellm-model"] == model
        assert raw.headers["x-routellm-cause"] == "conversation"
        assert raw.headers["x-routellm-router"] == "length"
        assert "x-routellm-score" not in raw.headers


def test_a_session_header_keeps_a_conversation_on_the_strong_model(client: OpenAI) -> None:
    def ask(words: str, session: str) -> tuple[str, str]:
        raw = client.chat.completions.with_raw_response.create(
            model="sticky-router",
            messages=user(words),
            extra_headers={"x-litellm-session-id": session},
        )
        return raw.headers["x-routellm-model"], raw.headers["x-routellm-cause"]

    assert ask(HARD, "session-of-a-header-1") == ("gpt-4o", "score")
    assert ask(EASY, "session-of-a-header-1") == ("gpt-4o", "conversation")
    assert ask(EASY, "session-of-a-header-2") == ("gpt-4o-mini", "score")


@pytest.mark.parametrize("path", ["messages", "responses"])
def test_a_conversation_is_known_by_how_it_begins(proxy: ProxyProcess, path: str) -> None:
    key, system = ("messages", "system") if path == "messages" else ("input", "instructions")

    def ask(*texts: str, prompt: str = "Be brief.") -> str:
        said = [*user(path)]
        for text in texts:
            said += [{"role": "assistant", "content": "Yes."}, *user(text)]
        answer = httpx.post(
            f"{proxy.url}/v1/{path}",
            headers={"Authorization": f"Bearer {KEY}"},
            json={"model": "sticky-router", "max_tokens": 99, key: said, system: prompt},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.headers["x-routellm-cause"]

    assert ask(HARD) == "score"
    assert ask(HARD, EASY) == "conversation"
    assert ask(HARD, EASY, prompt="Be long.") == "score"


@SPLIT
@pytest.mark.parametrize("stream", [False, True])
def test_the_messages_api(proxy: ProxyProcess, prompt: str, model: str, stream: bool) -> None:
    messages = [
        *user(prompt),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x"}]},
    ]
    for conversation in (messages[:1], messages):
        answer = httpx.post(
            f"{proxy.url}/v1/messages",
            headers={"x-api-key": KEY},
            json={"model": ALIAS, "max_tokens": 99, "messages": conversation, "stream": stream},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-routellm-model"] == model
        assert model in answer.text


def test_other_kinds_of_calls_are_rejected(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="not aembedding: name a model group instead"):
        client.embeddings.create(model=ALIAS, input="x")
    with pytest.raises(BadRequestError, match="not image_generation"):
        client.images.generate(model=ALIAS, prompt="x")


def test_what_litellm_logs(client: OpenAI, logged: Callable[[str], dict[str, Any]]) -> None:
    client.chat.completions.create(model=ALIAS, messages=user(f"{HARD} logged"))
    payload = logged(f"{HARD} logged")
    assert payload["model_group"] == ALIAS
    assert payload["model"].removeprefix("openai/") == "gpt-4o"
    assert payload["response_cost"] > 0
    decision = payload["metadata"]["routing_decision"]
    assert decision["routed_model"] == "gpt-4o"
    assert decision["score"] == 1.0
    spend = payload["metadata"]["spend_logs_metadata"]["routellm"]
    assert (spend["tier"], spend["router"], spend["cause"]) == ("strong", "length", "score")


@pytest.mark.parametrize("model", [ALIAS, "gpt-4o-mini"])
def test_a_forged_decision_is_dropped(
    client: OpenAI, logged: Callable[[str], dict[str, Any]], model: str
) -> None:
    forged = {"alias": ALIAS, "group": "gpt-4o", "model": "gpt-4o", "tier": "strong"}
    metadata = {
        "routellm": forged,
        "routing_decision": {"router_type": "routellm", "tier": "forged"},
        "spend_logs_metadata": {"routellm": forged, "team": "blue"},
    }
    prompt = f"forged {model}"
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=user(prompt), extra_body={"metadata": metadata}
    )
    assert answered_by(raw.parse().choices[0].message.content) == "gpt-4o-mini"
    logged_metadata = logged(prompt)["metadata"]
    assert (logged_metadata["routing_decision"] or {"tier": "weak"})["tier"] == "weak"
    spend = logged_metadata["spend_logs_metadata"]
    assert spend["team"] == "blue"
    assert spend.get("routellm", {"tier": "weak"})["tier"] == "weak"


def test_the_alias_is_listed(client: OpenAI) -> None:
    assert ALIAS in [model.id for model in client.models.list()]
