"""Endpoints besides those that clients chat by: the alias beside a plain group, as clients see it.

An alias does there what its group does, or is refused in one line. Where LiteLLM asks no callback,
it stands for the model in its own entry, which is here the weak one.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import APIStatusError, OpenAI
from websockets.sync.client import connect

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.other_endpoints import OtherEndpoints
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import body_of, post
from tests.litellm.configs import HANDLER, KEY, alias

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # assistants, in the client

Call = Callable[[OpenAI, str], object]
ALIAS = "gpt-4o-router"
OF_PATTERN = "router-length-0.6"
OTHER_NAME = "smart"
RENAMED = {"gpt-4o": "renamed-strong", "gpt-4o-mini": "renamed-weak"}
BATCH = (
    b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", '
    b'"body": {"model": "gpt-4o-mini", "messages": []}}'
)
VOLATILE = re.compile(
    r"(batch|chatcmpl|file|resp|msg)_?-?[\w=-]{16,}|[0-9a-f]{24,}|'?created(_at)?'?[:=] ?[\d.]+|"
    r"gpt-4o-router|router-(?:length-0\.6|\*)|smart|gpt-4o-mini|gpt-4o|renamed-\w+|127.0.0.1:\d+"
)


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def raw(path: str, **body: Any) -> Call:
    """Return a call for which the client has no method of its own."""

    def call(client: OpenAI, model: str) -> object:
        given = json.loads(json.dumps(body).replace("MODEL", model))
        where = f"{str(client.base_url).removesuffix('/v1/')}/{path.replace('MODEL', model)}"
        return client.post(where, body=given, cast_to=object)

    return call


def get(path: str) -> Call:
    def call(client: OpenAI, model: str) -> object:
        where = f"{str(client.base_url).removesuffix('/v1/')}/{path.replace('MODEL', model)}"
        return client.get(where, cast_to=object)

    return call


def chat(text: str = HARD, models: str = "MODEL", **options: Any) -> Call:
    return lambda client, model: client.chat.completions.create(
        model=models.replace("MODEL", model), messages=said(text), extra_body=options
    )


def batch(client: OpenAI, file: str = "file-1", **options: Any) -> Any:
    return client.batches.create(
        input_file_id=file,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        **options,
    )


def uploaded(client: OpenAI, file: bytes, **options: Any) -> Any:
    return client.files.create(
        file=("a.jsonl", io.BytesIO(file)), purpose="batch", extra_body=options
    )


def batch_of_a_file(client: OpenAI, model: str) -> Any:
    """Make a batch of a file that was uploaded under a name, and look at it."""
    made = batch(client, uploaded(client, BATCH, model=model).id)
    return client.batches.retrieve(made.id)


AS_THE_GROUP: dict[str, Call] = {
    "model": lambda client, model: client.models.retrieve(model),
    "token counter": raw("utils/token_counter", model="MODEL", messages=said(HARD)),
    "token counter of the provider": raw(
        "utils/token_counter?call_endpoint=true", model="MODEL", messages=said(HARD)
    ),
    "Gemini's token counter": raw(
        "v1beta/models/MODEL:countTokens", contents=[{"role": "user", "parts": [{"text": HARD}]}]
    ),
    "input tokens": lambda client, model: client.responses.input_tokens.count(
        model=model, input=HARD
    ),
    "OpenAI's old path": raw("engines/MODEL/chat/completions", messages=said(HARD)),
    "Azure's path": raw("openai/deployments/MODEL/chat/completions", messages=said(HARD)),
    "mock_response": chat(mock_response="mocked"),
    "several models": chat(models="MODEL,gpt-4o-mini"),
    "parameters": get("utils/supported_openai_params?model=MODEL"),
    "readiness": get("health/readiness"),
    "assistant": lambda client, model: client.beta.assistants.create(model=model),
    "pass-through": raw("openai/chat/completions", model="MODEL", messages=said(HARD)),
}
AS_ITS_ENTRY: dict[str, Call] = {
    "health": get("health?model=MODEL"),
    "file": lambda client, model: uploaded(client, BATCH, model=model),
    "files": get("v1/files?model=MODEL"),
    "file's state": get("v1/files/file-1?model=MODEL"),
    "batches": lambda client, model: client.batches.list(extra_query={"model": model}),
    "batch": lambda client, model: batch(client, extra_body={"model": model}),
    "batch by query": lambda client, model: batch(client, extra_query={"model": model}),
    "batch of a file": lambda client, model: batch_of_a_file(client, model),
}
REFUSED: dict[str, Call] = {
    "embeddings": lambda client, model: client.embeddings.create(model=model, input=HARD),
    "image": lambda client, model: client.images.generate(model=model, prompt=HARD),
    "speech": lambda client, model: client.audio.speech.create(
        model=model, input=HARD, voice="alloy"
    ),
    "transcription": lambda client, model: client.audio.transcriptions.create(
        model=model, file=("a.wav", b"RIFF")
    ),
    "moderation": lambda client, model: client.moderations.create(model=model, input=HARD),
    "rerank": raw("v1/rerank", model="MODEL", query=HARD, documents=["a", "b"]),
    "vector store": raw("v1/vector_stores", model="MODEL", name="store"),
    "realtime secret": raw(
        "v1/realtime/client_secrets", session={"type": "realtime", "model": "MODEL"}
    ),
}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, OtherEndpoints]]:
    with OtherEndpoints("gpt-4o") as strong, OtherEndpoints("gpt-4o-mini") as weak:
        yield {"gpt-4o": strong, "gpt-4o-mini": weak}


def made(
    upstreams: dict[str, OtherEndpoints], proxy_with: Callable[..., ProxyProcess], **settings: Any
) -> ProxyProcess:
    """Return a proxy, not started, with these settings of LiteLLM's."""

    def entry(model: str) -> dict[str, Any]:
        params = {
            "model": f"openai/{model}",
            "api_base": upstreams[model].url,
            "api_key": "unused",
        }
        return {"model_name": model, "litellm_params": params}

    strong = upstreams["gpt-4o"].url
    config = {
        "model_list": [
            entry("gpt-4o"),
            entry("gpt-4o-mini"),
            alias(ALIAS, router="length", threshold=0.6),
            alias("router-*"),
        ],
        "router_settings": {
            "num_retries": 0,
            "model_group_alias": {
                OTHER_NAME: ALIAS,
                **{renamed: name for name, renamed in RENAMED.items()},
            },
        },
        "assistant_settings": {
            "custom_llm_provider": "openai",
            "litellm_params": {"api_key": "unused", "api_base": strong},
        },
        "litellm_settings": {
            "callbacks": [HANDLER],
            "model_group_settings": {"forward_client_headers_to_llm_api": ["gpt-4o"]},
            **settings,
        },
    }
    return proxy_with(config, OPENAI_API_BASE=strong, OPENAI_API_KEY="unused")


@pytest.fixture(scope="module")
def proxy(
    upstreams: dict[str, OtherEndpoints], proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    with made(upstreams, proxy_with) as process:
        yield process


@pytest.fixture(scope="module")
def client(proxy: ProxyProcess) -> Iterator[OpenAI]:
    with client_of(proxy) as openai_client:
        yield openai_client


def client_of(proxy: ProxyProcess) -> OpenAI:
    return OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0)


def outcome(
    call: Call, client: OpenAI, model: str, upstreams: dict[str, OtherEndpoints]
) -> tuple[str, list[tuple[str, str, str]]]:
    """Return what the client got, without names and ids, and what each upstream was asked."""
    for upstream in upstreams.values():
        upstream.asked.clear()
    try:
        answer = call(client, model)
        got = repr(answer.to_dict() if hasattr(answer, "to_dict") else answer)
    except APIStatusError as error:
        got = f"{error.status_code}: {error.message}"
    asked = [
        (name, method, VOLATILE.sub("~", path))
        for name, upstream in upstreams.items()
        for method, path, _ in upstream.asked
    ]
    return VOLATILE.sub("~", got), sorted(asked)


@pytest.mark.parametrize("case", AS_THE_GROUP)
def test_as_the_group(client: OpenAI, upstreams: dict[str, OtherEndpoints], case: str) -> None:
    call = AS_THE_GROUP[case]
    plain = outcome(call, client, "gpt-4o", upstreams)
    assert plain[0][0] in "{[~'", plain
    assert outcome(call, client, ALIAS, upstreams) == plain


def test_the_fastest_of_two(client: OpenAI, upstreams: dict[str, OtherEndpoints]) -> None:
    call = chat(models="MODEL,gpt-4o-mini", fastest_response=True)
    plain, _ = outcome(call, client, "gpt-4o", upstreams)
    routed, asked = outcome(call, client, ALIAS, upstreams)
    # Either may be the faster one, and be the only one that is sent; answers differ in counts.
    assert plain[0] == "{", plain
    assert re.sub(r"\d+", "", routed) == re.sub(r"\d+", "", plain)
    assert asked


@pytest.mark.parametrize(
    ("case", "name"),
    [
        *((case, ALIAS) for case in AS_ITS_ENTRY),
        *((case, OF_PATTERN) for case in AS_ITS_ENTRY if case != "health"),
        ("health", "router-*"),
        ("health", OTHER_NAME),
    ],
)
def test_as_its_entry(
    client: OpenAI, upstreams: dict[str, OtherEndpoints], case: str, name: str
) -> None:
    """Nothing goes to the account of the environment, which is that of the strong one."""
    call = AS_ITS_ENTRY[case]
    plain = outcome(call, client, "gpt-4o-mini", upstreams)
    assert plain[0][0] == "{", plain
    assert outcome(call, client, name, upstreams) == plain


def test_a_batch_that_litellm_balances(
    upstreams: dict[str, OtherEndpoints], proxy_with: Callable[..., ProxyProcess]
) -> None:
    """LiteLLM's Router chooses where it goes and where its file does, by the names in that."""

    def call(client: OpenAI, model: str) -> Any:
        lines = BATCH.replace(b"gpt-4o-mini", model.encode())
        return batch(client, uploaded(client, lines).id, extra_body={"model": model})

    balanced = {"enable_loadbalancing_on_batch_endpoints": True}
    with made(upstreams, proxy_with, **balanced) as proxy, client_of(proxy) as client:
        plain = outcome(call, client, "gpt-4o-mini", upstreams)
        assert plain[1] == [("gpt-4o-mini", "POST", f"/{path}") for path in ("batches", "files")]
        assert outcome(call, client, ALIAS, upstreams) == plain


@pytest.mark.parametrize("case", REFUSED)
def test_refused(client: OpenAI, upstreams: dict[str, OtherEndpoints], case: str) -> None:
    message, asked = outcome(REFUSED[case], client, ALIAS, upstreams)
    assert re.match(r"400: .*'~' routes chat completions, .*: name a model group instead", message)
    assert not asked


@pytest.mark.parametrize("path", ["realtime", "responses"])
def test_sessions_are_refused(proxy: ProxyProcess, path: str) -> None:
    where = f"ws{proxy.url.removeprefix('http')}/v1/{path}?model={ALIAS}"
    with connect(where, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
        if path == "responses":
            socket.send(json.dumps({"type": "response.create", "model": ALIAS, "input": HARD}))
        message = str(socket.recv(timeout=60))
    assert "name a model group instead" in message


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("v1/chat/completions", {"model": "openai/gpt-4o-mini", "messages": said(EASY)}),
        ("v1/responses", {"model": "openai/gpt-4o-mini", "input": EASY}),
        ("v1/embeddings", {"model": "openai/gpt-4o-mini", "input": EASY}),
        ("v1/vector_stores/vs_1/files", {"model": "gpt-4o-mini", "file_id": "file-1"}),
    ],
)
def test_a_model_of_the_provider_is_served_by_its_group(
    proxy: ProxyProcess, path: str, asked: dict[str, Any]
) -> None:
    """The alias's entry stands for it too; LiteLLM takes any of the entries that have the model."""
    for _ in range(12):
        answer = post(proxy, path, asked)
        assert answer.status_code == 200, answer.text


def test_anthropics_client_counts_tokens(proxy: ProxyProcess) -> None:
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(base_url=proxy.url, api_key=KEY, max_retries=0) as client:
        counts = {
            model: client.messages.count_tokens(model=model, messages=said(HARD)).input_tokens
            for model in ("gpt-4o", ALIAS)
        }
    assert counts[ALIAS] == counts["gpt-4o"] > 0


def test_a_count_of_tokens_is_no_decision(proxy: ProxyProcess) -> None:
    body = {"model": ALIAS, "messages": said(EASY)}
    for path in ("utils/token_counter", "v1/messages/count_tokens"):
        answer = post(proxy, path, body)
        assert answer.status_code == 200, answer.text
        assert "x-routellm-cause" not in answer.headers


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
@pytest.mark.parametrize(
    ("text", "group", "told"), [(HARD, "gpt-4o", "blue"), (EASY, "gpt-4o-mini", None)]
)
def test_headers_of_the_client_are_handed_on_where_the_group_is_told_them(
    proxy: ProxyProcess,
    upstreams: dict[str, OtherEndpoints],
    path: str,
    text: str,
    group: str,
    told: str | None,
) -> None:
    for model in (group, ALIAS):
        answer = post(proxy, f"v1/{path}", body_of(path, model, text), **{"x-team": "blue"})
        assert answer.status_code == 200, answer.text
        got = upstreams[group].headers[-1]
        assert got.get("x-team") == told, model
        assert KEY not in str(got)


@pytest.mark.parametrize(("text", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")])
def test_a_response_goes_on_where_it_began(
    client: OpenAI, upstreams: dict[str, OtherEndpoints], text: str, model: str
) -> None:
    steps: dict[str, list[object]] = {}
    for name in (model, ALIAS):
        for upstream in upstreams.values():
            upstream.asked.clear()
        first = client.responses.create(model=name, input=text)
        other = HARD if text == EASY else EASY
        client.responses.create(model=name, input=other, previous_response_id=first.id)
        client.responses.retrieve(first.id)
        client.responses.cancel(first.id, extra_body={"model": name})
        client.responses.delete(first.id)
        steps[name] = [(up, each[0]) for up in upstreams for each in upstreams[up].asked]
    assert steps[ALIAS] == steps[model]
    assert {up for up, _ in steps[model]} == {model}
