"""A scoring server: requests per second with and without batches, and the time of a request.

Run it with ``python -m tests.benchmarks.speed.serve_speed``.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

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


def rates_of(args: Sequence[str]) -> dict[str, list[float]]:
    """Return the rates of a server that scores prompts one by one, and of one with batches."""
    every = prompts(2 * ROUNDS * REQUESTS)
    one, many = (ScoringProcess(*args, "--max-batch", most) for most in ("1", "32"))
    with one as alone, many as batched:
        servers = {"one by one": alone, "in batches": batched}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():
            rate(server, [f"warm {number}" for number in range(CLIENTS)])
        for _, (name, server) in itertools.product(range(ROUNDS), servers.items()):
            rates[name].append(rate(server, list(itertools.islice(every, REQUESTS))))
    return rates


def request_ms() -> dict[str, float]:
    """Return the p50 of a score by ``mf`` in this process, and by a server of this machine."""
    here = load_router("mf")
    with ScoringProcess() as server:
        there = load_router("remote", url=server.url, timeout_ms=60_000.0)
        contestants = {
            "in this process": lambda text: here.score([text]),
            "on a server": lambda text: there.score([text]),
        }
        return race(contestants, list(prompts(1_000)), 5)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        small = str(classifier(Path(folder), width=384, layers=6))
        kinds = {"the bundled bert": [], "a classifier": ["--checkpoint", small]}
        for kind, more in kinds.items():
            args = ["--router", "bert", "--timeout-ms", "600000", *more]
            for name, rates in rates_of(args).items():
                _print(
                    f"{kind}, {WORDS} words, {CLIENTS} clients, {name}: {max(rates):.0f} requests/s"
                    f" (rounds from {min(rates):.0f} to {max(rates):.0f})"
                )
    for where, p50 in request_ms().items():
        _print(f"mf {where}, {WORDS} words: {p50:.2f} ms")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
