"""The causal_llm router behind a server: the same scores, failures that are reported, and keys."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from routellm_core import CheckpointError, ConfigError, RoutingPolicy, ScoringError, load_router
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from tests.fakes.label_server import LabelServer, Reply, serving
from tests.fakes.transformer_checkpoints import CLASSIFIER, LABELS, SYSTEM, write_causal_llm

RATED = {"[[1]]": 0.1, "[[2]]": 0.2, "[[3]]": 0.1, "[[4]]": 0.4, "[[5]]": 0.1, "so": 0.05}
"""With the labels alone: 5 / 9 for the weak model."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causal_llm")
    write_causal_llm(folder, max_length=180, score_quantiles=[0.0, 0.5, 1.0])
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with serving() as server:
        yield server


def _router(server: LabelServer, folder: Path, **options: Any) -> CausalLLMRouter:
    return CausalLLMRouter.from_server(server.base_url, "rater", checkpoint=folder, **options)


def test_scores_are_those_of_the_model_here(server: LabelServer, folder: Path) -> None:
    here = CausalLLMRouter.from_pretrained(str(folder), device="cpu")
    model = here._rater._model  # type: ignore[attr-defined]
    tokenizer = here._rater._prompt._tokenizer  # type: ignore[attr-defined]

    def reply(text: str) -> Reply:
        with torch.no_grad():
            logits = model(torch.tensor([tokenizer.encode(text).ids])).logits[0, -1]
        chances = logits.double().softmax(0).tolist()
        return [{str(tokenizer.id_to_token(i)): chance for i, chance in enumerate(chances)}]

    server.reply = reply
    prompts = ["why?", "what is 2 + 2?", "", "\ud800", "x" * 10_000_000, "🤷 " * 999]
    scores = _router(server, folder, api_key_env="OPENAI_API_KEY").score(prompts)
    assert scores == pytest.approx(here.score(prompts), abs=1e-5)
    assert {request["path"] for request in server.requests} == {"/v1/completions"}
    assert server.requests[0]["model"] == "rater"
    assert server.requests[0]["temperature"] == 0
    assert server.keys[0] == "Bearer sk-test"


def test_a_key_goes_only_where_it_is_meant_to_go(
    server: LabelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"checkpoint": folder, "base_url": server.base_url, "model": "rater"}
    load_router("causal_llm", **options).score(["why?"])
    monkeypatch.setenv("RATER_KEY", "sk-rater")
    load_router("causal_llm", api_key_env="RATER_KEY", **options).score(["why?"])
    assert set(server.keys) == {"Bearer unused", "Bearer sk-rater"}
    with pytest.raises(ConfigError, match=f"no key for {server.base_url}: set NOT_SET$"):
        load_router("causal_llm", api_key_env="NOT_SET", **options)


def test_a_policy_asks_as_often_at_once_as_the_router_says(
    server: LabelServer, folder: Path
) -> None:
    assert _router(server, folder, concurrency=3).concurrency == 3
    assert CausalLLMRouter.from_pretrained(folder, device="cpu").concurrency is not None


def test_a_chat_is_left_to_the_servers_template(server: LabelServer, folder: Path) -> None:
    server.reply = lambda asked: [RATED]
    scores = _router(server, folder, chat=True, top_logprobs=6).score(["why?"])
    assert scores[0] == pytest.approx(4 / 9)
    request = server.requests[0]
    assert request["path"] == "/v1/chat/completions"
    assert (request["logprobs"], request["top_logprobs"], request["max_tokens"]) == (True, 6, 1)
    assert request["messages"] == [
        {"role": "system", "content": SYSTEM.strip()},
        {"role": "user", "content": CLASSIFIER.replace("{question}", "why?").strip()},
    ]


@pytest.mark.parametrize("chat", [False, True])
def test_a_label_may_come_later_or_never(server: LabelServer, folder: Path, chat: bool) -> None:
    router = _router(server, folder, chat=chat)
    server.reply = lambda asked: [{"Hm": 0.9, "[[5]]": 0.1}, RATED, {"[[1]]": 1.0}]
    assert router.score(["why?"])[0] == pytest.approx(4 / 9)
    assert [request["max_tokens"] for request in server.requests] == [1, 6]
    server.reply = lambda asked: [{"Hm": 0.9, "[[5]]": 0.1}] * 6 + [RATED]
    assert router.score(["why?"])[0] == 1


def test_labels_that_are_not_listed_are_impossible(server: LabelServer, folder: Path) -> None:
    server.reply = lambda asked: [{"[[4]]": 0.6, "[[2]]": 0.2, **dict.fromkeys("abcde", 0.01)}]
    assert _router(server, folder).score(["why?"])[0] == pytest.approx(0.25)


def test_each_prompt_gets_its_own_score_and_few_are_asked_at_once(
    server: LabelServer, folder: Path
) -> None:
    def reply(text: str) -> Reply:
        at = int(text.split("Q: ")[1].split()[0]) % 5
        return [{LABELS[at]: 0.9, LABELS[(at + 1) % 5]: 0.1}]

    server.reply, server.pause_s = reply, 0.02
    scores = _router(server, folder, concurrency=3).score([f"{n} ?" for n in range(20)])
    assert scores == pytest.approx([1, 1, 0.9, 0, 0.1] * 4)
    assert server.at_once == 3


def test_a_failure_is_repeated_and_then_reported(server: LabelServer, folder: Path) -> None:
    server.failures = 1
    assert _router(server, folder, max_retries=1).score(["why?"])[0] == 1
    server.failures = 1
    with pytest.raises(ScoringError, match=r"no rating from http://127\.0\.0\.1.*no luck"):
        _router(server, folder, max_retries=0).score(["why?"])


def test_a_server_that_is_slow_is_not_waited_for(server: LabelServer, folder: Path) -> None:
    server.pause_s = 2.0
    with pytest.raises(ScoringError, match="APITimeoutError"):
        _router(server, folder, timeout_s=0.2, max_retries=0).score(["why?"])


@pytest.mark.parametrize("chat", [False, True])
def test_an_answer_without_logprobs_is_reported(
    server: LabelServer, folder: Path, chat: bool
) -> None:
    server.logprobs = False
    with pytest.raises(ScoringError, match="answered without the logprobs"):
        _router(server, folder, chat=chat).score(["why?"])


async def test_a_server_that_fails_does_not_fail_the_request(
    server: LabelServer, folder: Path
) -> None:
    options = {"checkpoint": str(folder), "base_url": server.base_url, "model": "rater"}
    policy = RoutingPolicy(
        "causal_llm", strong_share=0.5, router_options=options, timeout_ms=30_000
    )
    assert (await policy.adecide("hello")).cause == "score"
    server.logprobs = False
    decision = await policy.adecide("not scored before")
    assert (decision.tier, decision.cause) == ("strong", "error:ScoringError")


def test_weights_are_not_needed_here(server: LabelServer, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix in (".json", ".txt"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert _router(server, tmp_path).score(["why?"])[0] == 1
    assert _router(server, tmp_path).fingerprint is None
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        _router(server, tmp_path)


def test_neither_torch_nor_transformers_is_needed(server: LabelServer, folder: Path) -> None:
    options = {"checkpoint": str(folder), "base_url": server.base_url, "model": "rater"}
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None;"
        "from routellm_core import load_router;"
        f"print(load_router('causal_llm', **{json.dumps(options)}).score(['why?'])[0])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "1.0"


def test_a_model_with_a_template_is_asked_in_a_chat(server: LabelServer, tmp_path: Path) -> None:
    write_causal_llm(tmp_path, llama=False, template="{{ messages }}")
    with pytest.raises(ConfigError, match="set chat=True"):
        _router(server, tmp_path)
    assert _router(server, tmp_path, chat=True).score(["why?"])[0] == 1


def test_settings_out_of_range_are_reported(server: LabelServer, folder: Path) -> None:
    with pytest.raises(ConfigError, match="top_logprobs is 4"):
        _router(server, folder, top_logprobs=4)
    with pytest.raises(ConfigError, match="did you mean 'top_logprobs'"):
        load_router("causal_llm", base_url=server.base_url, model="rater", top_logprob=5)


def test_a_missing_client_is_named(folder: Path) -> None:
    options = {"checkpoint": str(folder), "base_url": "http://localhost:1/v1", "model": "rater"}
    code = (
        "import sys; sys.modules['openai'] = None; from routellm_core import load_router;"
        f"load_router('causal_llm', **{json.dumps(options)})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "routellm-plugins[openai]" in result.stderr
