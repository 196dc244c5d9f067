"""A proxy whose aliases are scored by a server that comes and goes loses no request."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.cli.command import called
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.fakes.scoring_server import ScoringProcess
from tests.litellm.calls import ENDPOINTS, get, send
from tests.litellm.configs import HANDLER, KEY, alias, group

OPENED = "until it is back, calls go to"
AWAY = "error:ServerAwayError"
PAIRS = 40
CONCURRENCY = 8


@pytest.fixture(scope="module")
def scoring() -> Iterator[ScoringProcess]:
    """Not started."""
    server = ScoringProcess("--router", "graded")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    scoring: ScoringProcess,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    """Started while the scoring server is not there."""
    served = {
        "router": {"remote": scoring.url},
        "router_options": {"timeout_ms": 3000, "retry_ms": 100},
        "strong_share": 0.4,
        "timeout_ms": 30_000,
    }
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("routed", **served),
            alias("routed-weak", on_error="weak", **served),
            alias("router-*"),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


def routed(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    headers = answer.headers
    return answer.status_code, headers.get("x-routellm-model"), headers.get("x-routellm-cause")


def wait_for_scores(proxy: ProxyProcess) -> None:
    for number in range(200):
        answer = send(proxy, "chat/completions", "routed", f"{EASY} {number} and so on")
        assert answer.status_code == 200
        if answer.headers["x-routellm-cause"] == "score":
            return
    raise AssertionError(proxy.log[-2000:])


def test_without_the_server_requests_go_where_on_error_says(
    proxy: ProxyProcess, scoring: ScoringProcess
) -> None:
    for endpoint in ENDPOINTS:
        answer = send(proxy, endpoint, "routed", EASY)
        assert routed(answer) == (200, "gpt-4o", AWAY)
        assert "x-routellm-threshold" not in answer.headers
        assert routed(send(proxy, endpoint, "routed-weak", HARD)) == (200, "gpt-4o-mini", AWAY)
    (status, _) = get(proxy, "routellm/status")["aliases"]
    assert status["errors"]["ServerAwayError"] > 0
    assert proxy.log.count(OPENED) == 1


def test_a_client_cannot_name_a_server(proxy: ProxyProcess) -> None:
    answer = send(proxy, "chat/completions", "router-remote-0.5", EASY)
    assert answer.status_code == 400
    assert "missing a required argument: 'url'" in answer.text


def test_once_it_is_there_it_scores(proxy: ProxyProcess, scoring: ScoringProcess) -> None:
    scoring.start()
    wait_for_scores(proxy)
    assert routed(send(proxy, "chat/completions", "routed", EASY)) == (200, "gpt-4o-mini", "score")
    answer = send(proxy, "messages", "routed", HARD)
    assert routed(answer) == (200, "gpt-4o", "score")
    assert float(answer.headers["x-routellm-threshold"]) == pytest.approx(0.6)
    assert answer.headers["x-routellm-router"] == "remote"


async def test_killed_under_load_it_loses_nothing(
    proxy: ProxyProcess, scoring: ScoringProcess
) -> None:
    """Killed and started again, then standing still and going on."""
    before = proxy.log.count(OPENED)

    def stand_still() -> None:
        wait_for_scores(proxy)  # a busy machine may not have noticed yet that it is back
        scoring.signal(signal.SIGSTOP)

    events = {
        0.15: lambda: scoring.stop(),
        0.4: lambda: scoring.start(),
        0.6: stand_still,
        0.8: lambda: scoring.signal(signal.SIGCONT),
    }
    event = asyncio.Lock()
    waiting = iter(range(PAIRS * len(events)))
    total = PAIRS * len(events)
    statuses: dict[str, Counter[int]] = {"plain": Counter(), "routed": Counter()}
    causes: list[str | None] = []

    async def ask(client: httpx.AsyncClient, kind: str, model: str, text: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        answer = await client.post("/v1/chat/completions", json=body)
        statuses[kind][answer.status_code] += 1
        if kind == "routed":
            causes.append(answer.headers.get("x-routellm-cause"))
            if causes[-1] == "score":
                hard = text.startswith(HARD)
                assert answer.headers["x-routellm-model"] == ("gpt-4o" if hard else "gpt-4o-mini")

    async def work(client: httpx.AsyncClient) -> None:
        for number in waiting:
            async with event:  # requests on their way go on, further ones wait
                for at in sorted(at for at in events if number >= at * total):
                    await asyncio.to_thread(events.pop(at))
            hard = number % 2 == 0
            text = f"{HARD if hard else EASY}{number}"  # as many words
            await ask(client, "plain", "gpt-4o" if hard else "gpt-4o-mini", text)
            await ask(client, "routed", "routed", text)

    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=proxy.url, headers=headers, timeout=120) as client:
        await asyncio.gather(*(work(client) for _ in range(CONCURRENCY)))
    assert statuses["plain"] == statuses["routed"] == {200: total}
    assert set(causes) == {"score", AWAY}
    wait_for_scores(proxy)
    assert proxy.log.count(OPENED) - before >= 2


def test_the_check_tells_of_an_absent_server(tmp_path: Any) -> None:
    import yaml

    server = ScoringProcess("--router", "graded")  # which nobody starts
    upstream = {"model": "openai/x", "api_base": "http://127.0.0.1:1", "api_key": "unused"}
    config = {
        "model_list": [
            *(
                {"model_name": name, "litellm_params": upstream}
                for name in ("gpt-4o", "gpt-4o-mini")
            ),
            alias("routed", router={"remote": server.url}, strong_share=0.4),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    done = called("check", "--config", str(path))
    assert done.returncode == 0, done.stderr
    assert "its server does not answer, so nothing is scored until it does" in done.stderr
    assert "remote" in done.stdout
