"""The router `remote`: the numbers of the router on the server, and no harm in its absence."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from routellm_core import ConfigError, Router, RoutingPolicy, load_router
from routellm_core.policy import reload
from routellm_core.policy.policies import adecide, decide, decide_each, policy_of
from routellm_core.settings import PolicySettings, validate_settings
from routellm_core.testing import RouterContractTests
from routellm_plugins.demo.proxy_process import free_port
from tests.cli.command import called
from tests.fakes.scoring_server import ScoringProcess
from tests.fakes.scoring_stub import SOUND, ScoringStub

PATIENT = 60_000.0
TEXTS = [
    "Hello!",
    "Why is the sky blue?",
    "Prove that p^2 - 1 is divisible by 24. " * 9,
    "x" * 5000,
]
AWAY = "is unavailable ("
LOOKS = 600


@pytest.fixture(scope="module")
def server() -> Iterator[ScoringProcess]:
    with ScoringProcess("--token-env", "SERVE_TOKEN", SERVE_TOKEN="t-1") as process:
        yield process


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_TOKEN", "t-1")


@pytest.fixture
def stub() -> Iterator[ScoringStub]:
    with ScoringStub() as server:
        yield server


def settings(url: str, **more: Any) -> PolicySettings:
    options = {"timeout_ms": PATIENT, **more.pop("router_options", {})}
    wish = {} if {"threshold", "calibration"} & more.keys() else {"strong_share": 0.3}
    values = {"router": {"remote": url}, "timeout_ms": PATIENT, "router_options": options}
    return validate_settings(PolicySettings, {**values, **wish, **more})


def lines(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [line for line in found if words in line]


def back(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in lines(caplog, "") if line.endswith(" is back")]


def until(now: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    for _ in range(LOOKS):
        found = now()
        if is_there(found):
            return found
        time.sleep(0.01)
    raise AssertionError(f"still {found}")


class TestContract(RouterContractTests):
    @pytest.fixture(autouse=True)
    def _server(self, server: ScoringProcess) -> None:
        self.url = server.url

    def router(self) -> Router:
        return load_router("remote", url=self.url, token_env="SERVE_TOKEN", timeout_ms=PATIENT)


def test_it_decides_as_the_router_does_here(server: ScoringProcess) -> None:
    remote = settings(server.url, router_options={"token_env": "SERVE_TOKEN"})
    local = RoutingPolicy("mf", strong_share=0.3)
    both = [(decide(remote, text), local.decide(text)) for text in TEXTS]
    both += zip(
        decide_each([(remote, text) for text in TEXTS]), local.decide_many(TEXTS), strict=True
    )
    both += [(asyncio.run(adecide(remote, text)), local.decide(text)) for text in TEXTS]
    for there, here in both:
        assert (there.model, there.score, there.threshold, there.cause) == (
            *(here.model, here.score, here.threshold, here.cause),
        )
        assert there.router == "remote"


def test_a_calibration_file_of_the_router_here_is_good_for_it(
    server: ScoringProcess, tmp_path: Path
) -> None:
    prompts, file = tmp_path / "prompts.jsonl", tmp_path / "own.json"
    rows = [{"prompt": f"{'why ' * (at % 30)}is number {at} so?"} for at in range(100)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = called(
        *("calibrate", "--prompts", str(prompts), "--out", str(file), "--strong-share", "0.4")
    )
    assert done.returncode == 0, done.stderr
    with_token = {"token_env": "SERVE_TOKEN"}
    remote = policy_of(settings(server.url, calibration=str(file), router_options=with_token))
    here = RoutingPolicy("mf", calibration=str(file))
    assert remote.threshold == here.threshold
    with pytest.raises(ConfigError, match="made for router 'mf', and this is 'random'"):
        RoutingPolicy("random", calibration=str(file))


def test_requests_keep_to_the_limits_of_the_server(stub: ScoringStub) -> None:
    router = load_router("remote", url=stub.url)
    prompts = ["a" * 30] * 9 + ["b" * 600, "c" * 600, "\ud800" * 100]
    scores = router.score(prompts)
    assert scores.tolist() == [min(1.0, len(prompt) / 100) for prompt in prompts]
    assert [len(request["prompts"]) for request in stub.requests] == [4, 4, 2, 1, 1]
    assert max(len(json.dumps(request)) for request in stub.requests) <= 1000
    assert router.score([]).tolist() == []


def test_a_text_is_asked_for_once(stub: ScoringStub) -> None:
    remote = settings(stub.url)
    first = [decide(remote, "Hello!").score for _ in range(3)]
    assert set(first) == {0.06}
    assert len(stub.requests) == 1


class TestAbsence:
    def test_a_server_that_hangs_costs_one_timeout(
        self, stub: ScoringStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        options = {"timeout_ms": 200.0, "retry_ms": PATIENT}
        remote = settings(stub.url, on_error="weak", router_options=options)
        assert decide(remote, "x" * 90).model == "strong"
        stub.hang()
        asked = len(stub.requests)
        decisions = [decide(remote, f"{'x' * 90} {number}") for number in range(20)]
        assert {(each.model, each.cause) for each in decisions} == {
            ("weak", "error:ServerAwayError")
        }
        assert len(stub.requests) == asked + 1
        assert decide(remote, "x" * 90).score == 0.9  # which is kept
        (line,) = lines(caplog, AWAY)
        assert line == (
            f"the scoring server {stub.url} is unavailable (no answer within 200 ms): until it is "
            "back, calls go to 'on_error' without waiting"
        )

    def test_it_is_used_once_it_is_back(
        self, stub: ScoringStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        options = {"timeout_ms": 2000.0, "retry_ms": 20.0}
        remote = settings(stub.url, router_options=options)
        decide(remote, "loaded")
        stub.status = 503  # an ingress without a server behind it
        assert decide(remote, "a text").cause == "error:ServerAwayError"
        time.sleep(0.05)
        for number in range(20):  # looks, and finds it away
            assert decide(remote, f"a text {number}").cause == "error:ServerAwayError"
            time.sleep(0.01)
        assert back(caplog) == []
        stub.status = 200
        found = until(lambda: decide(remote, "x" * 90), lambda each: each.score is not None)
        assert (found.model, found.score, found.cause) == ("strong", 0.9, "score")
        assert len(lines(caplog, AWAY)) == 1
        assert back(caplog) == [f"the scoring server {stub.url} is back"]

    def test_many_calls_at_once_say_so_once(
        self, stub: ScoringStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        remote = settings(stub.url, router_options={"timeout_ms": 200.0, "retry_ms": PATIENT})
        decide(remote, "loaded")
        stub.hang()
        with ThreadPoolExecutor(16) as pool:
            decisions = list(pool.map(lambda at: decide(remote, f"text {at}"), range(64)))
        assert {each.cause for each in decisions} == {"error:ServerAwayError"}
        assert len(lines(caplog, AWAY)) == 1

    def test_an_absent_server_at_the_start_is_no_mistake(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        remote = settings(url, on_error="weak", router_options={"retry_ms": 20.0})
        assert "its server does not answer" in str(policy_of(remote).warning)
        for number in range(5):
            found = decide(remote, f"{'x' * 90} {number}")
            assert (found.model, found.threshold) == ("weak", None)
            assert found.cause == "error:ServerAwayError"
        assert len(lines(caplog, "")) == 1
        with ScoringStub(port):
            found = until(lambda: decide(remote, "x" * 90), lambda each: each.score is not None)
            assert (found.model, found.score, found.threshold) == ("strong", 0.9, 0.7)
            assert policy_of(remote).warning is None
        assert len(back(caplog)) == 1

    def test_a_process_that_stands_still_and_goes_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with ScoringProcess() as server:
            remote = settings(server.url, router_options={"timeout_ms": 3000.0, "retry_ms": 50.0})
            decide(remote, "loaded")
            server.signal(signal.SIGSTOP)
            for number in range(10):
                assert decide(remote, f"text {number}").cause == "error:ServerAwayError"
            server.signal(signal.SIGCONT)
            until(lambda: decide(remote, "Hello!"), lambda each: each.score is not None)

    def test_one_that_is_busy_or_fails_is_not_away(
        self, stub: ScoringStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        remote = settings(stub.url)
        decide(remote, "loaded")
        for status, message in ((429, "it is busy"), (500, "gives no score (500"), (401, "(401")):
            stub.status = status
            caplog.clear()
            assert decide(remote, f"text {status}").cause == "error:ScoringError"
            assert lines(caplog, AWAY) == []
            stub.status = 200
            assert decide(remote, f"later {status}").cause == "score"
            if status == 429:  # the first of its kind is logged
                assert message in caplog.text


@pytest.mark.parametrize(
    "answer", [[], {}, {"scores": [0.5]}, {"scores": ["x"], "fingerprint": "stub:1"}, {"scores": 1}]
)
def test_what_is_no_score_is_a_failure_to_score(stub: ScoringStub, answer: Any) -> None:
    remote = settings(stub.url, on_error="weak")
    decide(remote, "loaded")
    stub.answer = answer
    assert decide(remote, "a text").cause == "error:ScoringError"
    stub.answer = None
    until(lambda: decide(remote, "a text"), lambda each: each.cause == "score")


def test_a_changed_checkpoint_of_the_server_is_taken_up(
    stub: ScoringStub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "INTERVAL_S", 0.01)
    remote = settings(stub.url, on_error="weak")
    assert decide(remote, "x" * 90).threshold == 0.7
    stub.description = {**SOUND, "fingerprint": "stub:2", "score_quantiles": [0.0, 0.1, 0.2]}
    # Never a score of one checkpoint by the threshold of another.
    assert decide(remote, "x" * 91).cause == "error:ScoringError"
    found = until(lambda: decide(remote, "x" * 15), lambda each: each.score is not None)
    assert (found.model, found.score) == ("strong", 0.15)
    assert found.threshold == pytest.approx(0.14)
    (line,) = lines(caplog, "used from now on")
    assert line.startswith("router 'remote': what its server scores with changed and is used from")


def test_one_that_cannot_be_used_is_told_once(
    stub: ScoringStub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "INTERVAL_S", 0.01)
    remote = settings(stub.url)
    decide(remote, "loaded")
    stub.description = {**SOUND, "fingerprint": "stub:2", "score_quantiles": None}
    for number in range(40):
        assert decide(remote, f"text {number}").cause == "error:ScoringError"
        time.sleep(0.01)
    (line,) = lines(caplog, "cannot be used")
    assert "was never calibrated, so 'strong_share' cannot be turned into a threshold" in line


@pytest.mark.parametrize(
    "description",
    [
        [],
        {},
        {**SOUND, "score_quantiles": [0.5]},
        {**SOUND, "score_quantiles": [1.0, 0.0]},
        {**SOUND, "score_quantiles": "x"},
        {**SOUND, "fingerprint": 3},
        {**SOUND, "max_prompts": 0},
    ],
)
def test_another_server_is_a_mistake_before_traffic(stub: ScoringStub, description: Any) -> None:
    stub.description = description
    with pytest.raises(
        ConfigError, match=r"did not answer as expected \(200\): is this a server of"
    ):
        load_router("remote", url=stub.url)


def test_the_token_is_in_the_environment_and_goes_where_it_is_meant_to(
    server: ScoringProcess, stub: ScoringStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_router("remote", url=stub.url).score(["Hello"])
    assert set(stub.authorizations) == {None}
    with pytest.raises(ConfigError, match=r"refuses the token \(401\): set token_env"):
        load_router("remote", url=server.url)
    with pytest.raises(ConfigError, match=f"has no token for {stub.url}: set NOT_SET$"):
        load_router("remote", url=stub.url, token_env="NOT_SET")
    monkeypatch.setenv("OTHER", "t 2")
    with pytest.raises(ConfigError, match="OTHER does not hold a token: letters, digits and"):
        load_router("remote", url=stub.url, token_env="OTHER")
    monkeypatch.setenv("OTHER", "t-2\n")  # as read from a file
    load_router("remote", url=stub.url, token_env="OTHER").score(["Hello"])
    assert stub.authorizations[-1] == "Bearer t-2"


def test_prompts_go_to_the_server_alone(stub: ScoringStub, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScoringStub() as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url)
        remote = settings(stub.url)
        assert decide(remote, "Hello!").cause == "score"
        stub.location = f"{other.url}/v1/score"
        assert decide(remote, "another").cause == "error:ScoringError"
        assert (other.requests, other.authorizations) == ([], [])


def test_prompts_are_not_logged(stub: ScoringStub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    remote = settings(stub.url, router_options={"timeout_ms": 200.0, "retry_ms": 1.0})
    decide(remote, "a secret of ours")
    for number, status in enumerate((500, 429, 503)):
        stub.status = status
        decide(remote, f"a secret of ours {number}")
    stub.hang()
    decide(remote, "a secret of ours, again")
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "scoring:8100"}, "write the server's address, such as http://scoring:8100"),
        ({"url": "ftp://scoring"}, "write the server's address"),
        ({"url": "http://scoring:81OO"}, "write the server's address"),
        ({"url": "http://sc\u00f6ring"}, "write the server's address"),
        ({"url": 5}, "url is 5: write the server's address"),
        ({"url": "http://me:pass@scoring"}, "without a password"),
        ({"url": "http://scoring", "timeout_ms": 0}, "timeout_ms is 0: write a number of milli"),
        ({"url": "http://scoring", "retry_ms": True}, "retry_ms is True"),
        ({"url": "http://scoring", "retry": 1}, "no option 'retry': did you mean 'retry_ms'?"),
        ({}, "missing a required argument: 'url'"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_router("remote", **options)
    assert message in str(raised.value)
    assert "pass@" not in str(raised.value)


def test_the_address_is_written_with_the_router(stub: ScoringStub) -> None:
    policy = RoutingPolicy(router={"remote": stub.url}, threshold=0.5)  # type: ignore[arg-type]
    assert (policy.settings.router, policy.settings.router_options) == ("remote", {"url": stub.url})
    for wrong in ({"remot": stub.url}, {}, {"remote": stub.url, "x": 1}):
        with pytest.raises(ConfigError, match=r"'router' is a name, or \{remote: URL\}"):
            RoutingPolicy(router=wrong, threshold=0.5)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_asks_by_connections_of_its_own(server: ScoringProcess) -> None:
    code = f"""
import os
from routellm_core import load_router
router = load_router("remote", url={server.url!r}, token_env="SERVE_TOKEN", timeout_ms=60000)
expected = router.score(["Hello!"])[0]
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        same = all(router.score(["Hello!"])[0] == expected for _ in range(50))
        os._exit(0 if same else 1)
    children.append(child)
assert all(router.score(["Hello!"])[0] == expected for _ in range(50))
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
