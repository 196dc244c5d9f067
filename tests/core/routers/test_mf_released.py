"""Checkpoints of the original release, whose encoder is an embeddings endpoint."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

pytest.importorskip("openai")

from routellm_core import RoutingPolicy, load_encoder, load_router
from routellm_core.checkpoints.store import WEIGHTS
from routellm_core.encoders.openai import OpenAIEncoder
from routellm_core.errors import CheckpointError, ConfigError, ScoringError
from routellm_core.routers.mf.router import MatrixFactorizationRouter
from tests.fakes import checkpoints

RANK, DIM = 8, checkpoints.RELEASED_DIM


class Endpoint(ThreadingHTTPServer):
    """Answers /v1/embeddings with vectors drawn from a hash of the text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures = 0
        """How many requests are answered with status 500 first."""
        self.dim = DIM


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers["Authorization"])
        if self.server.failures:
            self.server.failures -= 1
            return self._answer(500, {"error": {"message": "no luck"}})
        if "" in body["input"]:
            return self._answer(400, {"error": {"message": "input cannot be empty"}})
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(text)[: self.server.dim]}
            for index, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        answer = {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
        return self._answer(200, answer)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def _vector(text: str) -> list[float]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return list(np.random.default_rng(seed).normal(size=DIM).astype(float))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoints.released_mf(tmp_path, RANK)
    return tmp_path


def test_prompts_are_scored_by_the_endpoints_vectors(endpoint: Endpoint, folder: Path) -> None:
    router = load_router("mf", checkpoint=str(folder))
    assert isinstance(router, MatrixFactorizationRouter)
    prompts = [f"prompt {number}" for number in range(70)]
    expected = router.score_embeddings(np.array([_vector(prompt) for prompt in prompts]))
    assert router.score(prompts) == pytest.approx(expected, abs=1e-6)
    assert [len(body["input"]) for body in endpoint.requests] == [32, 32, 6]
    assert endpoint.requests[0]["model"] == "text-embedding-3-small"
    assert endpoint.keys[0] == "Bearer sk-test"


def test_it_is_never_scored_on_the_event_loop(endpoint: Endpoint, folder: Path) -> None:
    router = load_router("mf", checkpoint=str(folder))
    assert not router.instant
    assert router.score_quantiles is None
    assert load_router("mf").instant


async def test_an_endpoint_that_fails_does_not_fail_the_request(
    endpoint: Endpoint, folder: Path
) -> None:
    policy = RoutingPolicy(
        "mf", threshold=0.5, router_options={"checkpoint": str(folder)}, timeout_ms=30_000
    )
    assert (await policy.adecide("hello")).cause == "score"
    endpoint.dim = 5
    decision = await policy.adecide("hello again")
    assert (decision.tier, decision.cause) == ("strong", "error:ScoringError")


def test_hostile_prompts_get_a_finite_number(endpoint: Endpoint, folder: Path) -> None:
    router = load_router("mf", checkpoint=str(folder))
    odd = ["", " \n", "🤷‍♀️" * 9000, "\ud800", "x" * 10_000_000, "\0"]
    scores = router.score(odd)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores == pytest.approx([router.score([prompt])[0] for prompt in odd], abs=1e-6)
    sent = [text for body in endpoint.requests for text in body["input"]]
    assert max(len(text.encode()) for text in sent) <= 8_191


def test_a_failure_is_tried_again(endpoint: Endpoint) -> None:
    endpoint.failures = 1
    assert OpenAIEncoder(max_retries=1).encode(["hi"])[0] == pytest.approx(_vector("hi"), abs=1e-5)
    assert len(endpoint.requests) == 2
    endpoint.failures = 1
    with pytest.raises(ScoringError, match=r"no embeddings from http://127\.0\.0\.1.*no luck"):
        OpenAIEncoder(max_retries=0).encode(["hi"])


def test_another_models_vectors_are_refused(endpoint: Endpoint) -> None:
    endpoint.dim = 384
    with pytest.raises(ScoringError, match=r"shape \(1, 384\), not \(1, 1536\)"):
        OpenAIEncoder().encode(["hi"])


def test_a_server_of_ones_own_needs_no_key(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert OpenAIEncoder().encode(["hi"]).shape == (1, DIM)


def test_a_missing_key_is_reported_at_load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY"):
        load_router("mf", checkpoint=str(folder))
    with pytest.raises(ConfigError, match="set OPENAI_API_KEY"):
        load_encoder("openai")
    released = MatrixFactorizationRouter.from_pretrained(str(folder))
    assert released.score_embeddings(np.zeros((1, DIM))).tolist() == [0.5]


def test_a_key_goes_only_where_it_is_meant_to_go(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = os.environ["OPENAI_BASE_URL"]
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("SERVER_KEY", "sk-server")
    load_encoder("openai", base_url=server).encode(["hi"])
    load_encoder("openai", base_url=server, api_key_env="SERVER_KEY").encode(["hi"])
    OpenAIEncoder(base_url=f"{server}/", api_key_env="OPENAI_API_KEY").encode(["hi"])
    assert endpoint.keys == ["Bearer unused", "Bearer sk-server", "Bearer sk-test"]
    with pytest.raises(ConfigError, match=f"no key for {server}: set NOT_SET$"):
        load_encoder("openai", base_url=server, api_key_env="NOT_SET")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(
        ConfigError, match=r"no key for https://api\.openai\.com/v1: set OPENAI_API"
    ):
        load_encoder("openai", base_url="https://api.openai.com/v1")


def test_the_fingerprint_names_server_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    here = {"base_url": "http://here:1/v1"}
    encoders = [
        OpenAIEncoder(),
        OpenAIEncoder("other"),
        OpenAIEncoder(dim=256),
        OpenAIEncoder(**here),
        OpenAIEncoder(dimensions=256, **here),
    ]
    assert len({encoder.fingerprint for encoder in encoders}) == 5
    monkeypatch.setenv("OPENAI_BASE_URL", "http://here:1/v1/")
    assert OpenAIEncoder().fingerprint == encoders[3].fingerprint


def test_the_length_is_asked_for_where_the_model_can_shorten(endpoint: Endpoint) -> None:
    endpoint.dim = 256
    for encoder in (
        OpenAIEncoder("openai/text-embedding-3-large", 256),
        OpenAIEncoder("nomic-embed", 256),
        OpenAIEncoder("nomic-embed", dimensions=256),
    ):
        assert encoder.encode(["hi"]).shape == (1, 256)
    assert [body.get("dimensions") for body in endpoint.requests] == [256, None, 256]
    with pytest.raises(ConfigError, match="dim 0: write 1 or more"):
        load_encoder("openai", dim=0)


def test_two_equal_reference_models_are_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="name two models"):
        MatrixFactorizationRouter.from_pretrained(folder, weak_model="gpt-4-1106-preview")


def test_a_missing_client_is_named() -> None:
    code = (
        "import sys; sys.modules['openai'] = None; from routellm_core import load_encoder;"
        "load_encoder('openai')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "routellm-plugins[openai]" in result.stderr


def test_an_unknown_reference_model_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'claude-2\.1'"):
        MatrixFactorizationRouter.from_pretrained(str(folder), strong_model="claude-2.2")


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("P.weight", (63, RANK), r"is not the release's.*\(63, 8\)"),
        ("text_proj.0.weight", (RANK, 384), r"is not the release's.*\(8, 384\)"),
        ("classifier.0.weight", None, r"has no tensor 'classifier\.0\.weight'"),
    ],
)
def test_what_does_not_fit_is_named(
    folder: Path, name: str, shape: tuple[int, int] | None, message: str
) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors[name]
    if shape:
        tensors[name] = np.ones(shape, np.float32)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match=message):
        MatrixFactorizationRouter.from_pretrained(str(folder))


def test_nan_is_damage(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["text_proj.0.weight"][0, 0] = np.nan
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match="damaged"):
        MatrixFactorizationRouter.from_pretrained(str(folder))
