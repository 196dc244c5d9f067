"""A proxy whose routed aliases have mistakes ends at start and says what to write."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from routellm_core import RouteLLMError
from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.litellm.calls import get
from tests.litellm.config.test_mistakes import MISTAKES
from tests.litellm.configs import HANDLER, alias, group

STARTED = ["unknown key", "unknown router", "strong model that is no model group"]


def test_the_proxy_ends_with_a_line_for_each_mistake(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> None:
    aliases = [alias(f"router {at}", **MISTAKES[name][0]) for at, name in enumerate(STARTED)]
    config = {
        "model_list": [group("gpt-4o", strong), group("gpt-4o-mini", weak), *aliases],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    process = proxy_with(config)
    with pytest.raises(RouteLLMError, match="the proxy ended at start"):
        process.start()
    assert process.wait() == 3
    reported = [line for line in process.log.splitlines() if line.startswith("model_list entry")]
    assert process.log.splitlines()[-len(STARTED) :] == reported
    assert set(reported) == {
        f"model_list entry 'router {at}': {MISTAKES[name][1]}" for at, name in enumerate(STARTED)
    }
    assert "Traceback" not in process.log


def test_an_alias_is_described_before_any_request(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> None:
    aliases = [alias(name, threshold=0.6) for name in ("gpt-4o-router", "another")]
    config = {
        "model_list": [group("gpt-4o", strong), group("gpt-4o-mini", weak), *aliases],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as proxy:
        listed: dict[str, Any] = {}
        deadline = time.monotonic() + 30
        while "max_input_tokens" not in listed and time.monotonic() < deadline:
            listed = get(proxy, "v1/models")["data"][2]
        assert (listed["id"], listed["max_input_tokens"]) == ("gpt-4o-router", 128_000)
        assert get(proxy, "health")["unhealthy_count"] == 0
    assert len(weak.requests) + len(strong.requests) >= 4
