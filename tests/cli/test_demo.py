"""`routellm demo`: a real proxy, the ordinary client, and an exit code that means something."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess

import pytest

from routellm_core import load_router

from .command import COMMAND, routellm

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


def test_once_answers_every_prompt_and_uses_both_models():
    from routellm_plugins.litellm.demo_prompts import PROMPTS

    done = routellm("demo", "--once", timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(done.stdout)
    assert [score for score, *_ in rows] == pytest.approx(
        load_router("mf").score(PROMPTS), abs=0.001
    )
    for score, threshold, tier, upstream in rows:
        if abs(score - threshold) > 0.001:
            assert tier == ("strong" if score > threshold else "weak")
        assert upstream == ("gpt-4o" if tier == "strong" else "gpt-4o-mini")
    assert {upstream for *_, upstream in rows} == {"gpt-4o", "gpt-4o-mini"}
    assert re.search(r"\d+% saved against always strong", done.stdout)


def test_once_fails_if_one_model_is_never_used(tmp_path):
    (tmp_path / "pinned.py").write_text(PINNED)
    info = tmp_path / "pinned-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pinned\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\npinned = pinned\n")
    done = routellm(
        "demo",
        "--once",
        timeout=150,
        PYTHONPATH=str(tmp_path),
        ROUTELLM_DISABLE_PLUGIN_AUTOLOAD="",
    )
    assert {upstream for *_, upstream in rows_of(done.stdout)} == {"gpt-4o-mini"}
    assert done.returncode == 1
    assert "by both models" in done.stdout


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_cannot_be(port: str):
    done = routellm("demo", "--port", port)
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_stays_up_and_takes_the_proxy_along_when_stopped():
    demo = subprocess.Popen(
        [*COMMAND, "demo", "--port", "0"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout is not None
    try:
        output = ""
        while "Ctrl-C" not in output:
            line = demo.stdout.readline()
            assert line, output
            output += line
        found = re.search(r"proxy up at http://127\.0\.0\.1:(\d+)", output)
        assert found, output
        address = ("127.0.0.1", int(found[1]))
        socket.create_connection(address).close()
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    finally:
        demo.kill()
        demo.stdout.close()
        demo.wait()
