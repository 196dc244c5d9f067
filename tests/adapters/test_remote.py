"""A router on a server decides as the same router here, in every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from llama_index.core.llms import ChatMessage

from tests.adapters import ADAPTERS
from tests.adapters.cases import Adapter
from tests.fakes.openai_upstream import Upstream
from tests.fakes.scoring_server import ScoringProcess
from tests.fakes.scoring_stub import ScoringStub

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Router.discard is deprecated"),
]
PATIENT = {"timeout_ms": 60_000, "router_options": {"timeout_ms": 60_000.0}}
TEXTS = (
    "What is the capital of Australia?",
    "Prove that for every prime p greater than 3, p^2 - 1 is divisible by 24.",
    "为什么天空是蓝色的？",
)
HISTORY = (("user", "Prove that there are infinitely many primes."), ("assistant", "Shall I?"))
EASY, HARD = "Hello!", "x" * 95


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    with Upstream("strong") as strong, Upstream("weak") as weak:
        yield {"strong": strong, "weak": weak}


@pytest.fixture(scope="module", params=["mf", "bert"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    if request.param == "bert":
        pytest.importorskip("onnxruntime")
    with ScoringProcess("--router", request.param) as process:
        yield request.param, process.url


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def make(
    request: pytest.FixtureRequest, upstreams: dict[str, Upstream]
) -> Iterator[Callable[..., Any]]:
    made: list[Adapter] = []

    def adapter(**settings: Any) -> Any:
        made.append(request.param(upstreams["strong"].url, upstreams["weak"].url, **settings))
        return made[-1]

    yield adapter
    for each in made:
        each.close()


def outcome(report: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(report[key] for key in ("served", "tier", "score", "threshold", "cause"))


def test_the_same_decisions(make: Callable[..., Any], server: tuple[str, str]) -> None:
    name, url = server
    here = make(router=name, strong_share=0.4, timeout_ms=60_000)
    there = make(router={"remote": url}, strong_share=0.4, **PATIENT)
    asked = [(text, ()) for text in TEXTS] + [("Yes, do it.", HISTORY)]
    told = [
        [outcome(each.ask(text, history=history)) for text, history in asked]
        for each in (here, there)
    ]
    assert told[0] == told[1]
    assert {served for served, *_ in told[0]} == {"strong", "weak"}
    assert there.ask(EASY)["router"] == "remote"


async def served(adapter: Any, text: str) -> str:
    """Ask on an event loop; returns who answered."""
    if adapter.name == "langchain":
        return (await adapter._model.ainvoke(text)).text.split(" ")[0]
    if adapter.name == "llama_index":
        answer = await adapter._llm.achat([ChatMessage(text)])
        return str(answer.message.content).split(" ")[0]
    messages = [{"role": "user", "content": text}]
    answer = await adapter._router.acompletion(model="routed", messages=messages)
    return str(answer.choices[0].message.content).split(" ")[0]


async def test_the_loop_goes_on_while_the_server_scores(make: Callable[..., Any]) -> None:
    with ScoringStub() as stub:
        adapter = make(router={"remote": stub.url}, strong_share=0.3, on_error="weak", **PATIENT)
        assert await served(adapter, f"{HARD} 1") == "strong"
        stub.hang()
        asking: list[Awaitable[str]] = [
            asyncio.ensure_future(served(adapter, text)) for text in (f"{HARD} 2", EASY)
        ]
        for _ in range(3000):
            if len(stub.requests) == 3:
                break
            await asyncio.sleep(0.01)
        assert len(stub.requests) == 3
        stub.recover()  # which a loop that waits could not do
        assert await asyncio.gather(*asking) == ["strong", "weak"]


def test_an_absent_server_fails_no_call(make: Callable[..., Any]) -> None:
    with ScoringStub() as stub:
        options = {"timeout_ms": 200.0, "retry_ms": 60_000.0}
        adapter = make(
            router={"remote": stub.url},
            strong_share=0.3,
            on_error="weak",
            timeout_ms=60_000,
            router_options=options,
        )
        assert adapter.ask(f"{HARD} 1")["served"] == "strong"
        stub.hang()
        for number in range(5):
            report = adapter.ask(f"{HARD} again {number}")
            assert (report["served"], report["cause"]) == ("weak", "error:ServerAwayError")
        assert len(stub.requests) == 2


def test_one_that_is_absent_from_the_start_fails_no_call(make: Callable[..., Any]) -> None:
    with ScoringStub() as stub:
        url = stub.url
    adapter = make(router={"remote": url}, strong_share=0.3, on_error="weak")
    for number in range(3):
        report = adapter.ask(f"{HARD} {number}")
        assert (report["served"], report["cause"]) == ("weak", "error:ServerAwayError")
        assert report["threshold"] is None


async def test_a_batch_is_one_request(upstreams: dict[str, Upstream]) -> None:
    from tests.adapters.langchain_adapter import LangChainAdapter

    with ScoringStub() as stub:
        adapter = LangChainAdapter(
            *(upstreams[name].url for name in ("strong", "weak")),
            router={"remote": stub.url},
            strong_share=0.3,
            **PATIENT,
        )
        answers = adapter._model.batch([EASY, HARD, f"{HARD} 2"])
        answers += await adapter._model.abatch([f"{EASY} 2", f"{HARD} 3"])
        assert [each.text.split(" ")[0] for each in answers] == [
            *("weak", "strong", "strong"),
            *("weak", "strong"),
        ]
        assert len(stub.requests[0]["prompts"]) == 3
