"""`routellm status --url`: what each alias of a running proxy does, beside what was meant."""

from __future__ import annotations

import json
import os

import httpx
from openai import OpenAI

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.cli.command import called
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.configs import KEY


def test_the_status_of_each_alias(proxy: ProxyProcess) -> None:
    client = OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0)
    for prompt in (HARD, EASY, EASY, EASY):
        client.chat.completions.create(
            model="support", messages=[{"role": "user", "content": prompt}]
        )
    done = called("status", "--url", proxy.url, "--key", KEY, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    aliases = {each["alias"]: each for each in answer["aliases"]}
    assert "router-*" not in aliases
    support, by_threshold = aliases["support"], aliases["measured"]
    assert answer["process"] != os.getpid()
    assert {k: support[k] for k in ("alias", "router", "scored", "share", "target_share")} == {
        "alias": "support",
        "router": "graded",
        "scored": 4,
        "share": 0.25,
        "target_share": 0.2,
    }
    assert by_threshold["target_share"] is None
    table = called("status", "--url", proxy.url, "--key", KEY)
    assert table.returncode == 0
    assert "20.0%" in table.stdout
    assert "25.0%" in table.stdout


def test_only_admins_are_told(proxy: ProxyProcess) -> None:
    refused = called("status", "--url", proxy.url, "--key", "sk-wrong")
    assert refused.returncode == 2
    assert "refuses the key (400): give the master key with --key" in refused.stderr
    without = httpx.get(f"{proxy.url}/routellm/status")
    plain = httpx.get(f"{proxy.url}/model/info")
    assert without.status_code == plain.status_code >= 400
    keyless = called("status", "--url", proxy.url)
    assert keyless.returncode == 2
    assert "give the master key with --key" in keyless.stderr


def test_what_is_no_proxy_is_one_line(strong: Upstream) -> None:
    other = called("status", "--url", strong.url, "--key", KEY)
    assert other.returncode == 2
    assert "is this a LiteLLM proxy" in other.stderr
    for url, message in (
        ("http://127.0.0.1:9", "cannot be reached"),
        ("localhost:4000", "write the proxy's address, such as http://localhost:4000"),
    ):
        wrong = called("status", "--url", url)
        assert wrong.returncode == 2
        assert message in wrong.stderr
        assert len(wrong.stderr.strip().splitlines()) == 1
