"""`routellm demo`: a real proxy, the ordinary client, and an exit code that means something."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from subprocess import PIPE, STDOUT, Popen
from typing import Any

import psutil
import pytest

from routellm_core import RoutingPolicy, load_router

from .command import COMMAND, called

pytest.importorskip("litellm.proxy")

PINNED = """
from routellm_core import hookimpl
@hookimpl
def routellm_score(): return 0.0
"""


def rows_of(output: str) -> list[tuple[float, float, str, str]]:
    """Return win rate, threshold, tier and upstream of each line of the table."""
    row = re.compile(r"(0\.\d{3}) +(0\.\d{3}) +(strong|weak) +(gpt-4o(?:-mini)?) ")
    found = [match.groups() for match in row.finditer(output)]
    return [(float(score), float(limit), tier, model) for score, limit, tier, model in found]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Popen[str]]]:
    """Demos that end by themselves, at once because each takes long to import: one as it is, and
    one in which a plugin sends everything to the weak model.
    """
    site = tmp_path_factory.mktemp("site")
    (site / "pinned.py").write_text(PINNED)
    info = site / "pinned-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pinned\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\npinned = pinned\n")
    demos = {
        "plain": started("--once", "--port", "0"),
        "pinned": started(
            *("--once", "--port", "0"), PYTHONPATH=str(site), ROUTELLM_DISABLE_PLUGIN_AUTOLOAD=""
        ),
    }
    yield demos
    for demo in demos.values():
        ended(demo)


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[Popen[str], str]]:
    """A demo that stays up, and what it has printed."""
    demo = started("--port", "0")
    assert demo.stdout is not None
    try:
        output = ""
        while "Ctrl-C" not in output:
            line = demo.stdout.readline()
            assert line, output
            output += line
        yield demo, output
    finally:
        ended(demo)


def started(*args: str, **env: str) -> Popen[str]:
    return Popen(
        [*COMMAND, "demo", *args],
        env={**os.environ, "COLUMNS": "120", "PYTHONUNBUFFERED": "1", **env},
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
    )


def ended(demo: Popen[str]) -> None:
    demo.kill()
    assert demo.stdout is not None
    demo.stdout.close()
    demo.wait()


def test_once_answers_every_prompt_and_ends(once: dict[str, Popen[str]]):
    output, _ = once["plain"].communicate(timeout=150)
    assert once["plain"].returncode == 0, output
    assert {upstream for *_, upstream in rows_of(output)} == {"gpt-4o", "gpt-4o-mini"}
    assert "Ctrl-C" not in output


def test_once_fails_if_one_model_is_never_used(once: dict[str, Popen[str]]):
    output, _ = once["pinned"].communicate(timeout=150)
    assert {upstream for *_, upstream in rows_of(output)} == {"gpt-4o-mini"}
    assert once["pinned"].returncode == 1
    assert "by both models" in output


def test_prompts_go_where_the_trained_router_sends_them(up: tuple[Popen[str], str]):
    from routellm_plugins.demo.prompts import PROMPTS

    _, output = up
    policy = RoutingPolicy("mf", strong_share=0.3)
    rows = rows_of(output)
    expected = load_router("mf").score(PROMPTS)
    assert [score for score, *_ in rows] == pytest.approx(expected, abs=0.001)
    for score, (_, threshold, tier, upstream) in zip(expected, rows, strict=True):
        assert threshold == pytest.approx(policy.threshold, abs=0.001)
        assert tier == ("strong" if score >= policy.threshold else "weak")
        assert upstream == ("gpt-4o" if tier == "strong" else "gpt-4o-mini")
    assert {upstream for *_, upstream in rows} == {"gpt-4o", "gpt-4o-mini"}
    assert re.search(r"\d+% saved against always strong", output)


def test_it_can_be_called_as_it_says(up: tuple[Popen[str], str]):
    from openai import OpenAI

    address = re.search(r'OpenAI\(base_url="(.*)", api_key="(.*)"\)', up[1])
    assert address
    decision = RoutingPolicy("mf", strong_share=0.3).decide("hi")
    with OpenAI(base_url=address[1], api_key=address[2], max_retries=0) as client:

        def ask(model: str) -> tuple[str, float]:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": "hi"}]
            )
            text = raw.parse().choices[0].message.content or ""
            return text.split(" ")[0], float(raw.headers["x-routellm-score"])

        assert ask("gpt-4o-router")[0] == ("gpt-4o" if decision.tier == "strong" else "gpt-4o-mini")
        assert ask("gpt-4o-router")[1] == pytest.approx(decision.score, rel=1e-4)
        assert ask("router-mf-0")[0] == "gpt-4o"
        assert ask("router-mf-1")[0] == "gpt-4o-mini"


def test_it_takes_the_proxy_along_when_stopped(up: tuple[Popen[str], str]):
    demo, output = up
    found = re.search(r"proxy up at http://127\.0\.0\.1:(\d+)", output)
    assert found, output
    address = ("127.0.0.1", int(found[1]))
    socket.create_connection(address).close()
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(60) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def is_running(process: psutil.Process) -> bool:
    """Return whether a process has not ended; the parent of one that has may never ask for it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("name", "while_starting"), [("SIGHUP", False), ("SIGKILL", False), ("SIGTERM", True)]
)
def test_nothing_is_left_however_it_is_ended(name: str, while_starting: bool):
    demo = started("--port", "0")
    assert demo.stdout is not None
    try:
        output = ""
        while ("Two stand-in models" if while_starting else "Ctrl-C") not in output:
            line = demo.stdout.readline()
            assert line, output
            output += line
        children: list[Any] = []
        while not children:
            children = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(getattr(signal, name))
        demo.wait(60)
        deadline = time.monotonic() + 60
        while (left := list(filter(is_running, children))) and time.monotonic() < deadline:
            time.sleep(0.1)
        for child in left:
            child.kill()
        assert not left
    finally:
        ended(demo)


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_cannot_be(port: str):
    done = called("demo", "--port", port)
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
