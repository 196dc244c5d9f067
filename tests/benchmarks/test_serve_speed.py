"""A scoring server: requests per second with and without batches, and what the way to it takes."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from routellm_core import load_router
from tests.fakes.scoring_server import ScoringProcess

from .classifiers import classifier
from .measure import race
from .prompts import make_prompts

CLIENTS = 32
REQUESTS = 128
ROUNDS = 3
WORDS = 100


def prompts(count: int) -> Iterator[str]:
    return iter(make_prompts(WORDS, count, lambda text: len(text.split())))


def rate(server: ScoringProcess, texts: list[str]) -> float:
    """Return the requests per second, each with one prompt, of ``CLIENTS`` at a time."""
    waiting = iter(texts)

    def work() -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        for text in waiting:
            connection.request("POST", "/v1/score", json.dumps({"prompts": [text]}))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for each in [pool.submit(work) for _ in range(CLIENTS)]:
            each.result()
    return len(texts) / (time.perf_counter() - began)


@pytest.mark.parametrize("kind", ["bundled", "classifier"])
@pytest.mark.timeout(900)
def test_requests_per_second(benchmark: Any, report: Any, kind: str, tmp_path: Path) -> None:
    args = ["--router", "bert", "--timeout-ms", "600000"]
    if kind == "classifier":
        args += ["--checkpoint", str(classifier(tmp_path, width=384, layers=6))]
    else:
        pytest.importorskip("onnxruntime")
    every = prompts(2 * ROUNDS * REQUESTS)

    def measured() -> dict[str, list[float]]:
        one, many = (ScoringProcess(*args, "--max-batch", most) for most in ("1", "32"))
        with one as alone, many as batched:
            servers = {"alone": alone, "in batches": batched}
            rates: dict[str, list[float]] = {name: [] for name in servers}
            for server in servers.values():
                rate(server, [f"warm {number}" for number in range(CLIENTS)])
            for _, (name, server) in itertools.product(range(ROUNDS), servers.items()):
                rates[name].append(rate(server, list(itertools.islice(every, REQUESTS))))
        return rates

    rates = benchmark.pedantic(measured, rounds=1)
    for name, values in rates.items():
        note = f"{CLIENTS} clients; rounds from {min(values):.0f} to {max(values):.0f}"
        report(f"bert ({kind}) served, prompts {name}", f"{max(values):.0f} requests/s", note)


@pytest.mark.timeout(300)
def test_the_way_to_a_server(benchmark: Any, report: Any) -> None:
    texts = list(prompts(1_000))
    here = load_router("mf")
    with ScoringProcess() as server:
        there = load_router("remote", url=server.url, timeout_ms=60_000.0)
        contestants = {
            "here": lambda text: here.score([text]),
            "there": lambda text: there.score([text]),
        }
        times = benchmark.pedantic(race, (contestants, texts, 5), rounds=1)
    report("mf here", f"{times['here']:.2f} ms", f"{WORDS} words")
    report("mf on a server of this machine", f"{times['there']:.2f} ms", f"{WORDS} words")
