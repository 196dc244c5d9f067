"""Shadow mode behind a real proxy: both answers are kept, and nobody notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from routellm_core.traffic.store.store import Store
from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.cli.command import routellm
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, get, post, send
from tests.litellm.configs import HANDLER, alias, group
from tests.litellm.metrics_page import samples
from tests.litellm.shadow.entries import observed, shadow

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture(scope="module")
def breakable() -> Iterator[Upstream]:
    """The strong group of an alias of its own, for tests in which it fails or hangs."""
    with Upstream("gpt-4o") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    breakable: Upstream,
    folder: Path,
    payload_log: Path,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    length = {"router": "length", "threshold": 0.6}
    both = {"strong": "gpt-4o", "weak": "gpt-4o-mini"}
    metrics = ["prometheus"] if find_spec("prometheus_client") else []
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            group("breakable", breakable),
            alias("both", **length, shadow=shadow(folder, "both")),
            alias("silent", **length, shadow=shadow(folder, "silent", texts=False)),
            alias(
                "masked", **length, shadow=shadow(folder, "masked", redact="tests.fakes.masks.mask")
            ),
            alias("some", **length, shadow=shadow(folder, "some", sample=0)),
            alias(
                "broken",
                **length,
                strong="breakable",
                shadow=shadow(folder, "broken", timeout_s=5, concurrency=2, waiting=3),
            ),
            alias(
                "hung",
                **length,
                strong="breakable",
                shadow=shadow(folder, "hung", timeout_s=5, concurrency=2, waiting=3),
            ),
            alias(
                "down",
                **length,
                strong="breakable",
                shadow=shadow(folder, "down", concurrency=1),
            ),
            alias(
                "counted",
                **length,
                strong="breakable",
                shadow=shadow(folder, "counted", concurrency=1),
            ),
            observed(
                group("plain", strong),
                **{**both, "strong": "plain"},
                **length,
                shadow=shadow(folder, "plain"),
            ),
        ],
        "router_settings": {"num_retries": 0, "allowed_fails": 0},
        "litellm_settings": {
            "callbacks": [HANDLER, "tests.fakes.payload_log.writer", *metrics],
            "require_auth_for_metrics_endpoint": False,
        },
    }
    with proxy_with(config, PAYLOAD_LOG=str(payload_log)) as process:
        yield process


def rows_of(folder: Path, name: str, request_id: str, count: int = 2) -> dict[str, dict[str, Any]]:
    """Wait for the answers to a request, by tier."""
    deadline = time.monotonic() + 30
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        if (folder / f"{name}.db").exists():
            store = Store(str(folder / f"{name}.db"))
            found = [row for row in store.answers() if row["request_id"] == request_id]
            if len(found) >= count and any(r["request_id"] == request_id for r in store.requests()):
                return {row["tier"]: row for row in found}
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} answers were kept of {request_id}")


def texts_of(folder: Path, name: str, request_id: str) -> dict[str, dict[str, Any]]:
    store = Store(str(folder / f"{name}.db"))
    return {row["tier"]: row for row in store.sampled() if row["request_id"] == request_id}


def call_id(response: Any) -> str:
    assert response.status_code == 200, response.text
    return str(response.headers["x-litellm-call-id"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("prompt", "tier", "other"), [(EASY, "weak", "strong"), (HARD, "strong", "weak")]
)
def test_both_answers_are_kept(
    proxy: ProxyProcess,
    folder: Path,
    endpoint: str,
    stream: bool,
    prompt: str,
    tier: str,
    other: str,
) -> None:
    words = f"{prompt}-{endpoint}-{stream}"  # as many words as the prompt
    response = send(proxy, endpoint, "both", words, stream=stream, temperature=0.5)
    assert response.headers["x-routellm-tier"] == tier
    rows = rows_of(folder, "both", call_id(response))
    assert [rows[tier]["shadow"], rows[other]["shadow"]] == [0, 1]
    texts = texts_of(folder, "both", call_id(response))
    names = {"strong": "gpt-4o ", "weak": "gpt-4o-mini "}
    for each in (tier, other):
        assert texts[each]["text"].startswith(names[each])
        assert prompt in texts[each]["text"]
    assert texts[tier]["prompt"] == words
    assert rows[other]["input_tokens"] > 0
    assert rows[other]["cost_usd"] > 0


def test_the_other_group_gets_the_same_request(
    proxy: ProxyProcess, folder: Path, strong: Upstream
) -> None:
    body = {
        "model": "both",
        "messages": [
            {"role": "system", "content": "Be brief about umbrellas."},
            {"role": "user", "content": "Who likes this rain, then?"},
        ],
        "tools": [WEATHER],
        "temperature": 0.25,
        "max_tokens": 77,
        "user": "somebody",
        "stream": True,
    }
    request_id = call_id(post(proxy, "v1/chat/completions", body))
    assert rows_of(folder, "both", request_id)["strong"]["error"] is None
    (sent,) = strong.asked("Be brief about umbrellas")
    assert sent["messages"] == body["messages"]
    assert (sent["temperature"], sent["max_tokens"], sent["tools"]) == (0.25, 77, [WEATHER])
    assert "user" not in sent
    assert not sent.get("stream")
    assert "get_weather" in texts_of(folder, "both", request_id)["strong"]["text"]


def test_tools_of_anthropics_api_reach_the_other_group(
    proxy: ProxyProcess, folder: Path, strong: Upstream
) -> None:
    tool = {"name": "get_weather", "input_schema": WEATHER["function"]["parameters"]}
    response = send(proxy, "messages", "both", "Rain in Oslo?", tools=[tool], system="A seaman.")
    assert rows_of(folder, "both", call_id(response))["strong"]["error"] is None
    (sent,) = strong.asked("Rain in Oslo?")
    assert sent["messages"][0] == {"role": "system", "content": "A seaman."}
    assert sent["tools"][0]["function"]["name"] == "get_weather"


def test_a_response_that_goes_on_from_another_is_for_its_provider_alone(
    proxy: ProxyProcess, folder: Path
) -> None:
    first = send(proxy, "responses", "both", "Who goes first?")
    body = {"model": "both", "input": "And who then?", "previous_response_id": first.json()["id"]}
    request_id = call_id(post(proxy, "v1/responses", body))
    assert list(rows_of(folder, "both", request_id, 1)) == ["weak"]
    kept = {row["request_id"]: row for row in Store(str(folder / "both.db")).requests()}
    assert kept[request_id]["propensity"] == 0


def test_nothing_is_logged_or_charged_for_the_other_call(
    proxy: ProxyProcess, folder: Path, payload_log: Path
) -> None:
    words = "Who owns the lighthouse?"
    request_id = call_id(send(proxy, "chat/completions", "both", words))
    rows_of(folder, "both", request_id)
    time.sleep(2)
    lines = [json.loads(line) for line in payload_log.read_text().splitlines() if words in line]
    assert [line["litellm_call_id"] for line in lines] == [request_id]
    assert "Failed" not in proxy.log
    assert "rror tracking" not in proxy.log


def test_without_texts_there_are_digests_and_numbers(proxy: ProxyProcess, folder: Path) -> None:
    request_id = call_id(send(proxy, "chat/completions", "silent", "Who hid the marmalade?"))
    assert len(rows_of(folder, "silent", request_id)) == 2
    content = b"".join(file.read_bytes() for file in folder.glob("silent.db*"))
    assert b"marmalade" not in content
    assert b"stand-in" not in content


def test_what_redaction_removes_is_not_in_the_file(proxy: ProxyProcess, folder: Path) -> None:
    request_id = call_id(send(proxy, "chat/completions", "masked", "Who knows marmalade?"))
    rows_of(folder, "masked", request_id)
    texts = texts_of(folder, "masked", request_id)
    assert texts["weak"]["prompt"] == "Who knows m*******e?"
    content = b"".join(file.read_bytes() for file in folder.glob("masked.db*"))
    assert b"marmalade" not in content


def test_of_what_is_not_sampled_the_decision_is_kept(proxy: ProxyProcess, folder: Path) -> None:
    request_id = call_id(send(proxy, "chat/completions", "some", "Who ate the marmalade?"))
    assert list(rows_of(folder, "some", request_id, 1)) == ["weak"]
    (kept,) = Store(str(folder / "some.db")).requests()
    assert (kept["decided"], kept["score"], kept["sampled"]) == ("weak", 0.4, 0)
    assert b"marmalade" not in b"".join(file.read_bytes() for file in folder.glob("some.db*"))


def test_a_request_that_asks_for_no_log_is_not_kept(proxy: ProxyProcess, folder: Path) -> None:
    call_id(send(proxy, "chat/completions", "both", "Who is shy?", **{"no-log": True}))
    rows_of(folder, "both", call_id(send(proxy, "chat/completions", "both", "Who is not?")))
    prompts = [row["prompt"] for row in Store(str(folder / "both.db")).sampled()]
    assert "Who is not?" in prompts
    assert "Who is shy?" not in prompts


@pytest.mark.parametrize("prompt", [EASY, HARD], ids=["easy", "hard"])
def test_an_observed_group_serves_as_before(
    proxy: ProxyProcess, folder: Path, strong: Upstream, prompt: str
) -> None:
    words = f"{prompt}-plain"
    response = send(proxy, "chat/completions", "plain", words)
    assert not [name for name in response.headers if name.startswith("x-routellm")]
    assert response.json()["choices"][0]["message"]["content"].startswith("gpt-4o here")
    rows = rows_of(folder, "plain", call_id(response))
    assert [rows["strong"]["shadow"], rows["weak"]["shadow"]] == [0, 1]
    requests = {row["request_id"]: row for row in Store(str(folder / "plain.db")).requests()}
    kept = requests[call_id(response)]
    assert (kept["acted"], kept["cause"]) == (0, "score")
    assert kept["decided"] == ("weak" if prompt == EASY else "strong")


def test_an_observed_group_is_listed_as_before(proxy: ProxyProcess) -> None:
    infos = {each["model_name"]: each for each in get(proxy, "model/info")["data"]}
    assert infos["plain"]["litellm_params"]["model"] == "openai/gpt-4o"
    assert "plain" in {each["id"] for each in get(proxy, "v1/models")["data"]}


def test_another_group_that_fails_cools_nothing_down(
    proxy: ProxyProcess, folder: Path, breakable: Upstream
) -> None:
    breakable.failing_with = 500
    try:
        request_id = call_id(send(proxy, "chat/completions", "broken", "Who broke it?"))
        rows = rows_of(folder, "broken", request_id)
        assert rows["strong"]["error"] == "error:InternalServerError"
    finally:
        breakable.failing_with = None
    # With allowed_fails: 0 a deployment that failed a user would be cooling down now.
    assert send(proxy, "chat/completions", "breakable", "Who mended it?").status_code == 200


def test_another_group_that_is_down_is_let_alone(
    proxy: ProxyProcess, folder: Path, breakable: Upstream
) -> None:
    asked = [f"Who is down, {n}?" for n in range(12)]
    breakable.failing_with = 503
    try:
        ids = [call_id(send(proxy, "chat/completions", "down", words)) for words in asked]
        errors = [rows_of(folder, "down", each)["strong"]["error"] for each in ids]
    finally:
        breakable.failing_with = None
    assert errors == ["error:ServiceUnavailableError"] * 5 + ["paused"] * 7
    assert len(breakable.asked("Who is down")) == 5
    # That they were drawn is kept: the share that was drawn for a call is the configured one.
    kept = {row["request_id"]: row for row in Store(str(folder / "down.db")).requests()}
    assert {(kept[each]["sampled"], kept[each]["propensity"]) for each in ids} == {(1, 1.0)}
    told = routellm("report", str(folder / "down.db"))
    assert "paused 7, error:ServiceUnavailableError 5" in " ".join(told.stdout.split())


@pytest.mark.skipif(not find_spec("prometheus_client"), reason="prometheus-client is not installed")
def test_calls_of_the_other_group_are_counted(
    proxy: ProxyProcess, folder: Path, breakable: Upstream
) -> None:
    asked = "routellm_shadow_calls_total"
    breakable.failing_with = 503
    try:
        for number in range(7):
            words = f"What is counted, {number}?"
            rows_of(folder, "counted", call_id(send(proxy, "chat/completions", "counted", words)))
    finally:
        breakable.failing_with = None
    rows_of(folder, "counted", call_id(send(proxy, "chat/completions", "counted", HARD)))
    counted = {name: n for name, n in samples(proxy, "counted").items() if name[0] == asked}
    assert counted == {
        (asked, "error", "strong"): 5,
        (asked, "paused", "strong"): 2,
        (asked, "answered", "weak"): 1,
    }


def test_another_group_that_hangs_delays_nobody_and_fills_nothing(
    proxy: ProxyProcess, folder: Path, breakable: Upstream
) -> None:
    breakable.delay_s = 8.0
    try:
        with ThreadPoolExecutor(12) as pool:
            asked = [f"Who waits, {n}?" for n in range(12)]
            answers = pool.map(lambda words: send(proxy, "chat/completions", "hung", words), asked)
            ids = [call_id(each) for each in answers]
        rows = [rows_of(folder, "hung", each)["strong"] for each in ids]
    finally:
        breakable.delay_s = 0.0
    errors = [row["error"] for row in rows]
    assert set(errors) <= {"timeout", "error:Timeout", "queue"}
    # Whichever came first was called and waited for; of later ones the answer was not asked for.
    assert {"timeout", "error:Timeout"} & set(errors)
    assert "queue" in errors
