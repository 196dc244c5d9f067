"""What a real `routellm serve` answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")

from routellm_core import RoutingPolicy, load_router
from tests.cli.command import COMMAND, routellm
from tests.fakes.routers import EASY, HARD
from tests.fakes.scoring_server import ScoringProcess

TOKEN = "token-7c1f"
PROMPTS = ["Why is the sky blue?", "", "\ud800 and 🤷", "x" * 200_000, "Why is the sky blue?"]


@pytest.fixture(scope="module")
def server() -> Iterator[ScoringProcess]:
    args = ("--strong-share", "0.3", "--token-env", "SERVE_TOKEN")
    with ScoringProcess(*args, SERVE_TOKEN=TOKEN) as process:
        yield process


@pytest.fixture(scope="module")
def client(server: ScoringProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        yield client


def post(client: httpx.Client, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(path, content=body if isinstance(body, bytes) else json.dumps(body))
    return answer.status_code, answer.json()


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_scores_are_those_of_the_router_here(client: httpx.Client) -> None:
    mf = load_router("mf")
    status, answer = post(client, "/v1/score", {"prompts": PROMPTS})
    assert status == 200
    assert answer == {"scores": mf.score(PROMPTS).tolist(), "fingerprint": mf.fingerprint}
    assert post(client, "/v1/score", {"prompts": []})[1]["scores"] == []


def test_decisions_are_those_of_the_policy_here(client: httpx.Client) -> None:
    policy = RoutingPolicy("mf", strong_share=0.3)
    for text in ("Hello!", HARD):
        status, answer = post(client, "/v1/decide", {"messages": [user(text)]})
        expected = policy.decide(text).as_metadata()
        assert status == 200
        assert {**answer, "elapsed_ms": 0} == {**expected, "elapsed_ms": 0}


def test_a_conversation_is_read_as_in_the_adapters(client: httpx.Client) -> None:
    def decided(*messages: dict[str, Any]) -> tuple[str, str]:
        _, answer = post(client, "/v1/decide", {"messages": [*messages]})
        return answer["tier"], answer["cause"]

    said = {"role": "assistant", "content": "Shall I?"}
    assert decided(user(HARD), said, user("Yes, do it.")) == ("strong", "momentum")
    assert decided({"role": "system", "content": "Say something."}) == ("strong", "no_text")
    title = "You are a title generator. You output ONLY a thread title."
    assert decided({"role": "system", "content": title}, user(HARD)) == ("weak", "utility")


def test_what_the_router_is(client: httpx.Client) -> None:
    mf = load_router("mf")
    answer = client.get("/v1/router").json()
    assert (answer["router"], answer["fingerprint"]) == ("mf", mf.fingerprint)
    assert mf.score_quantiles is not None
    assert answer["score_quantiles"] == mf.score_quantiles.tolist()


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/score", b"{", 400, "the body is not JSON"),
        ("/v1/score", b"[" * 100_000, 400, "the body is not JSON"),
        ("/v1/score", [], 400, "send a JSON object"),
        ("/v1/score", {"prompts": "Hello"}, 400, 'send the prompts to score: {"prompts": ["Why'),
        ("/v1/score", {"prompts": [1]}, 400, "send the prompts to score"),
        ("/v1/score", {"prompts": ["x"] * 257}, 413, "257 prompts: send at most 256 at once"),
        ("/v1/score", b" " * (2**24 + 1), 413, "the body is larger than 16777216 bytes"),
        ("/v1/decide", {"prompts": ["x"]}, 400, "send a conversation, and a name for it or none"),
        ("/v1/decide", {"messages": [1]}, 400, "send a conversation"),
        ("/v1/decide", {"messages": [], "session": 3}, 400, "send a conversation"),
    ],
)
def test_a_wrong_request_is_told_what_to_send(
    client: httpx.Client, path: str, body: Any, status: int, message: str
) -> None:
    got, answer = post(client, path, body)
    assert got == status
    assert message in answer["error"]


def test_without_the_token_there_are_no_answers(server: ScoringProcess) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {TOKEN}"}):
            for path in ("/v1/router", "/metrics"):
                assert client.get(path, headers=headers).status_code == 401
            answer = client.post("/v1/score", json={"prompts": ["Hello"]}, headers=headers)
            assert answer.status_code == 401
            assert "Authorization: Bearer TOKEN" in answer.json()["error"]
        assert client.get("/healthz").json() == {"status": "alive"}
        assert client.get("/readyz").json() == {"status": "ready"}


def test_metrics(client: httpx.Client) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    def samples() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return {
            (name, *labels.values()): value
            for family in families
            for name, labels, value, *_ in family.samples
        }

    before = samples()
    post(client, "/v1/score", {"prompts": ["a new prompt for the metrics", "another one"]})
    post(client, "/v1/score", {"prompts": ["another one"]})
    post(client, "/v1/score", {})
    after = samples()

    def more(*key: str) -> float:
        return after[key] - before.get(key, 0)

    assert more("routellm_server_requests_total", "/v1/score", "200") == 2
    assert more("routellm_server_requests_total", "/v1/score", "400") == 1
    assert more("routellm_server_seconds_count", "/v1/score") == 3
    assert more("routellm_server_prompts_total") == 3
    assert more("routellm_server_cached_prompts_total") == 1
    assert more("routellm_server_batch_size_count") == 1
    assert after[("routellm_server_waiting",)] == 0


def test_nothing_that_was_asked_is_logged(server: ScoringProcess, client: httpx.Client) -> None:
    post(client, "/v1/score", {"prompts": ["a secret of ours"]})
    post(client, "/v1/decide", {"messages": [user("a secret of ours")]})
    assert "secret" not in server.log
    assert TOKEN not in server.log


def test_a_router_that_fails_fails_the_request_alone() -> None:
    with ScoringProcess(
        "--router", "failing", "--threshold", "0.5", "--on-error", "weak"
    ) as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for _ in range(3):
                answer = client.post("/v1/score", json={"prompts": ["Hello"]})
                assert answer.status_code == 500
                assert answer.json() == {"error": "scoring failed: RuntimeError"}
            decided = client.post("/v1/decide", json={"messages": [user("Hello")]}).json()
            assert (decided["tier"], decided["cause"]) == ("weak", "error:RuntimeError")
            page = client.get("/metrics").text
        assert 'routellm_server_errors_total{kind="RuntimeError"} 4.0' in page
        assert server.log.count("further failures of this kind are counted, not logged") == 2


def test_a_server_without_a_threshold_only_scores() -> None:
    with (
        ScoringProcess("--router", "length") as server,
        httpx.Client(base_url=server.url) as client,
    ):
        answer = client.post("/v1/score", json={"prompts": [EASY, HARD]})
        assert answer.json() == {"scores": [0.5, 1.0], "fingerprint": None}
        status, answer = post(client, "/v1/decide", {"messages": [user(EASY)]})
        assert status == 400
        assert "start it with --strong-share 0.3 or --threshold" in answer["error"]


@pytest.mark.parametrize("most", [1, 32])
def test_requests_that_wait_are_scored_together(most: int) -> None:
    """Each gets its own score, and one that cannot be scored fails alone."""
    texts = [" ".join(["word"] * count) for count in range(10)] + ["poison", "one two poison"]
    args = ("--router", "slow", "--max-batch", str(most), "--timeout-ms", "60000")
    with ScoringProcess(*args) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        with ThreadPoolExecutor(12) as pool:
            answers = list(
                pool.map(lambda text: client.post("/v1/score", json={"prompts": [text]}), texts)
            )
        page = client.get("/metrics").text
    assert [each.json().get("scores") for each in answers[:10]] == [[at / 10] for at in range(10)]
    assert [each.json() for each in answers[10:]] == [{"error": "scoring failed: ValueError"}] * 2
    batches = float(page.split("routellm_server_batch_size_count ")[1].split()[0])
    assert batches == 12 if most == 1 else batches < 12


def test_too_much_that_waits_is_refused_at_once() -> None:
    args = ("--router", "slow", "--max-batch", "1", "--max-waiting", "2")
    with ScoringProcess(*args) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        with ThreadPoolExecutor(12) as pool:
            statuses = list(
                pool.map(
                    lambda at: client.post("/v1/score", json={"prompts": [f"prompt {at}"]}),
                    range(12),
                )
            )
        busy = [each for each in statuses if each.status_code == 429]
        assert {each.status_code for each in statuses} == {200, 429}
        assert busy[0].headers["retry-after"] == "1"
        assert client.post("/v1/score", json={"prompts": ["later"]}).status_code == 200


def test_a_stopped_server_answers_what_it_was_asked() -> None:
    """At SIGTERM it goes on for a while, not ready; what it has begun it ends."""
    args = ("--router", "slow", "--drain-s", "600", "--timeout-ms", "60000", "--max-batch", "1")
    server = ScoringProcess(*args)
    statuses: list[int] = []
    refused = threading.Event()

    def ask(at: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for number in range(10_000):
                try:
                    answer = client.post("/v1/score", json={"prompts": [f"{at} {number}"]})
                except (httpx.ConnectError, httpx.ReadError):  # or not accepted any more
                    refused.set()
                    return
                statuses.append(answer.status_code)

    with server, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, at) for at in range(4)]
        while len(statuses) < 4:
            time.sleep(0.01)
        server.signal(signal.SIGTERM)
        not_ready = wait_for(lambda: httpx.get(f"{server.url}/readyz", timeout=60), 503)
        assert not_ready.json() == {"status": "draining"}
        assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200
        last = httpx.post(f"{server.url}/v1/score", json={"prompts": ["the last"]}, timeout=60)
        assert (last.status_code, last.headers["connection"]) == (200, "close")
        server.signal(signal.SIGTERM)  # once more, so as not to wait for ten minutes
        assert server.wait() == 0
        for each in asking:
            each.result()  # raises whatever was no refusal to connect
    assert set(statuses) == {200}
    assert refused.is_set()


def test_it_ends_by_itself_after_it_has_drained() -> None:
    with ScoringProcess("--router", "length", "--drain-s", "0.1") as server:
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def wait_for(ask: Any, status: int) -> httpx.Response:
    for _ in range(500):
        answer: httpx.Response = ask()
        if answer.status_code == status:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"still {answer.status_code}")


def test_a_changed_checkpoint_is_taken_up(tmp_path: Path) -> None:
    import shutil

    from routellm_core.checkpoints.store import BUNDLED, WEIGHTS, write_whole
    from tests.core.policy.test_reload import weights

    folder = Path(shutil.copytree(BUNDLED / "mf", tmp_path / "router"))
    args = ("--checkpoint", str(folder))
    with ScoringProcess(*args) as server, httpx.Client(base_url=server.url, timeout=60) as client:

        def asked() -> dict[str, Any]:
            answer: dict[str, Any] = client.post("/v1/score", json={"prompts": [EASY]}).json()
            return answer

        before = asked()
        write_whole(folder / WEIGHTS, weights(folder))
        for _ in range(600):
            after = asked()
            if after != before:
                break
            time.sleep(0.05)
        fresh = load_router("mf", checkpoint=shutil.copytree(folder, tmp_path / "copy"))
        assert after == {"scores": fresh.score([EASY]).tolist(), "fingerprint": fresh.fingerprint}
        assert client.get("/v1/router").json()["fingerprint"] == fresh.fingerprint


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 accepts requests from other machines"),
        (["--token-env", "NOT_SET"], "--token-env NOT_SET: that environment variable is not set"),
        (["--router", "mff"], "no router named 'mff': did you mean 'mf'?"),
        (["--strong-share", "2"], "'strong_share' is 2.0: input should be less than or equal to 1"),
        (["--threshold", "0.5", "--strong-share", "0.3"], "are set: keep one of them"),
        (["--option", "strong_abilty=1"], "no option 'strong_abilty': did you mean 'strong_abil"),
        (["--on-error", "stong"], "'on_error' is 'stong'"),
    ],
)
def test_mistakes_are_one_line_before_traffic(args: list[str], message: str) -> None:
    from tests.cli.command import called

    done = called("serve", *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("httpcore", "load_router('remote', url='http://127.0.0.1:1')"),
        *((name, "serve()") for name in ("prometheus_client", "starlette", "uvicorn")),
    ],
)
def test_what_is_missing_is_named(module: str, code: str) -> None:
    lines = (
        f"import sys; sys.modules[{module!r}] = None",
        "from routellm_core import load_router",
        "from routellm_core.cli.serve import serve",
        code,
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert f"needs {module}" in done.stderr
    assert 'pip install "routellm-plugins[serve]"' in done.stderr


def test_help_names_the_options() -> None:
    done = routellm("serve", "--help")
    assert "--token-env" in done.stdout


def test_a_free_port_is_told() -> None:
    serving = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert serving.stdout is not None
        url = serving.stdout.readline().removeprefix("mf is served on ").strip()
        deadline = time.monotonic() + 60
        while (status := _status(f"{url}/readyz")) != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert status == 200, url
    finally:
        serving.kill()
        serving.communicate()


def _status(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.ConnectError:
        return None
