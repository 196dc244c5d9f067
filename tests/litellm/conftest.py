"""Real LiteLLM proxies between the ordinary openai client and stand-in upstreams."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("litellm")

import yaml
from litellm import Router
from openai import AsyncOpenAI, OpenAI

from routellm_core import Decision, hookimpl
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm import install
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def strong() -> Iterator[Upstream]:
    with Upstream("gpt-4o") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def weak() -> Iterator[Upstream]:
    with Upstream("gpt-4o-mini") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def fragile() -> Iterator[Upstream]:
    """The only deployment of a strong group of its own, for tests that kill it."""
    with Upstream("fragile") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def broken() -> Iterator[Upstream]:
    """One of two deployments of a strong group, and the only one of another; it never answers."""
    with Upstream("broken") as upstream:
        upstream.failing_with = 500
        yield upstream


@pytest.fixture(scope="session")
def plugin_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH on which the fake routers are a plugin with an entry point."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "routellm_fakes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: routellm-fakes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\nfakes = tests.fakes.routers\n")
    return os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="session")
def proxy_with(
    plugin_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., ProxyProcess]:
    """Make a proxy for a config, not started."""

    def make(config: dict[str, Any], **env: str) -> ProxyProcess:
        path = tmp_path_factory.mktemp("proxy") / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        common = {
            "LITELLM_MASTER_KEY": KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONPATH": plugin_path,
            "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD": "",
        }
        return ProxyProcess(path, {**common, **env})

    return make


@pytest.fixture(scope="session")
def payload_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs") / "payloads.jsonl"


@pytest.fixture(scope="session")
def proxy(
    strong: Upstream,
    weak: Upstream,
    fragile: Upstream,
    broken: Upstream,
    payload_log: Path,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    metrics = ["prometheus"] if find_spec("prometheus_client") else []
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            group("fragile", fragile),
            group("pair", strong),
            group("pair", broken),
            group("down", broken),
            group("house-model", strong),
            alias("gpt-4o-router", router="length", threshold=0.6),
            alias("fragile-router", router="length", threshold=0.6, strong="fragile"),
            alias("pair-router", router="length", threshold=0.6, strong="pair"),
            alias("router-*"),
            alias("sticky-router", router="length", threshold=0.6, sticky="conversation"),
            alias("measured", router="length", threshold=0.6),
            alias("raising", router="failing", threshold=0.5),
            alias("down-router", router="length", threshold=0.6, strong="down"),
            alias("support", router="graded", strong_share=0.2),
            alias("kept", router="sleeping", threshold=0.6),
        ],
        "router_settings": {
            "num_retries": 1,
            "allowed_fails": 0,
            "fallbacks": [{name: ["gpt-4o-mini"]} for name in ("fragile", "pair", "down")],
            "model_group_alias": {"smart": "gpt-4o-router"},
        },
        "litellm_settings": {
            "callbacks": [HANDLER, *metrics, "tests.fakes.payload_log.writer"],
            "require_auth_for_metrics_endpoint": False,
            "cache": True,  # for requests that ask for it
            "cache_params": {"type": "local", "mode": "default_off"},
        },
    }
    with proxy_with(config, PAYLOAD_LOG=str(payload_log)) as process:
        yield process


@pytest.fixture(scope="session")
def client(proxy: ProxyProcess) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as openai_client:
        yield openai_client


@pytest.fixture
async def async_client(proxy: ProxyProcess) -> Any:
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def logged(payload_log: Path) -> Callable[[str], dict[str, Any]]:
    """Wait for what LiteLLM logs about the request with these words."""

    def wait(words: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = payload_log.read_text() if payload_log.exists() else ""
            for line in text.split("\n")[:-1]:  # the last may still be being written
                if words in line:
                    payload: dict[str, Any] = json.loads(line)
                    return payload
            time.sleep(0.1)
        raise AssertionError(f"nothing was logged about {words!r}")

    return wait


@pytest.fixture
def model_list(
    strong: Upstream, weak: Upstream, plugin: Callable[[object], object]
) -> list[dict[str, Any]]:
    """The entries of an application's Router; the fake routers are installed."""
    plugin(routers)
    return [
        group("gpt-4o", strong),
        group("gpt-4o-mini", weak),
        alias("gpt-4o-router", router="length", threshold=0.6),
    ]


@pytest.fixture
def router(model_list: list[dict[str, Any]]) -> Iterator[Router]:
    """An application's Router, in this process."""
    router = Router(model_list=model_list, num_retries=0)
    install(router)
    yield router
    router.discard()


@pytest.fixture
def seen(plugin: Callable[[object], object]) -> list[Decision]:
    """Every decision, as an observer sees it."""
    decisions: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: decisions.append(decision))))
    return decisions
