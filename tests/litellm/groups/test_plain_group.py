"""A routed alias beside the plain group it chooses: same faults, same answers, same calls.

Each group has an upstream that fails and, but for those named "dead", one that answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import HARD
from tests.litellm.calls import ENDPOINTS, send
from tests.litellm.configs import HANDLER, alias, group

FAULTS: dict[str, tuple[int, dict[str, str]]] = {
    "401": (401, {}),
    "429": (429, {"retry-after": "8"}),
    "500": (500, {}),
    "dead-401": (401, {}),
    "dead-500": (500, {}),
}
# So many, because LiteLLM may pick the deployment that fails again, time after time.
RETRIES = 15
RETRIED = {"num_retries": RETRIES, "disable_cooldowns": True, "retry_after": 0}
DEAD = {"AuthenticationErrorRetries": 0, "InternalServerErrorRetries": 1}
COOLED = {"num_retries": 1, "allowed_fails": 0, "cooldown_time": 600}
REQUESTS = 3
EVERY_CALL = [(endpoint, stream) for endpoint in ENDPOINTS for stream in (False, True)]
# LiteLLM itself tries no text completion again that is streamed.
RETRIED_CALLS = [call for call in EVERY_CALL if call != ("completions", True)]


class Pair:
    """The upstreams of a plain group, and those of the same group behind an alias."""

    def __init__(self, stack: ExitStack, fault: str) -> None:
        status, headers = FAULTS[fault]
        self.fault = fault
        self.failing: dict[str, Upstream] = {}
        self.answering: dict[str, Upstream] = {}
        for name in ("plain", "routed"):
            failing = stack.enter_context(Upstream(f"{fault}-failing"))
            failing.failing_with, failing.fault_headers = status, headers
            self.failing[name] = failing
            if not fault.startswith("dead"):
                self.answering[name] = stack.enter_context(Upstream(f"{fault}-answering"))

    def entries(self) -> Iterator[dict[str, Any]]:
        for name, failing in self.failing.items():
            yield group(f"{name}-{self.fault}", failing)
            if name in self.answering:
                yield group(f"{name}-{self.fault}", self.answering[name])
        yield alias(
            f"alias-{self.fault}", router="length", threshold=0.6, strong=f"routed-{self.fault}"
        )

    def ask(
        self, proxy: ProxyProcess, name: str, endpoint: str, stream: bool, count: int = REQUESTS
    ) -> list[tuple[int, str]]:
        """Return statuses and who answered, of some requests to the group or its alias."""
        model = f"{'alias' if name == 'routed' else 'plain'}-{self.fault}"
        answers = [
            send(proxy, endpoint, model, f"{HARD} {number}", stream=stream)
            for number in range(count)
        ]
        return [
            (a.status_code, ",".join(set(re.findall(r"\d+-answering", a.text)))) for a in answers
        ]

    def calls(self, name: str) -> int:
        return len(self.failing[name].requests)


@pytest.fixture(scope="module")
def pairs() -> Iterator[dict[str, Pair]]:
    with ExitStack() as stack:
        yield {fault: Pair(stack, fault) for fault in FAULTS}


def started(
    pairs: dict[str, Pair], weak: Upstream, proxy_with: Callable[..., ProxyProcess], **settings: Any
) -> ProxyProcess:
    entries = [entry for pair in pairs.values() for entry in pair.entries()]
    config = {
        "model_list": [group("gpt-4o-mini", weak), *entries],
        "router_settings": settings,
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    return proxy_with(config)


@pytest.fixture(scope="module")
def retrying(
    pairs: dict[str, Pair], weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    policies: dict[str, dict[str, int]] = {}
    for name in ("plain", "routed"):
        policies[f"{name}-500"] = {"InternalServerErrorRetries": RETRIES}
        policies.update({f"{name}-{dead}": DEAD for dead in FAULTS if dead.startswith("dead")})
    settings = {**RETRIED, "model_group_retry_policy": policies}
    with started(pairs, weak, proxy_with, **settings) as proxy:
        yield proxy


@pytest.mark.parametrize(("endpoint", "stream"), RETRIED_CALLS)
@pytest.mark.parametrize("fault", ["401", "429", "500"])
def test_a_sibling_answers_after_a_retry(
    retrying: ProxyProcess, pairs: dict[str, Pair], fault: str, endpoint: str, stream: bool
) -> None:
    pair = pairs[fault]
    for name in ("plain", "routed"):
        answers = pair.ask(retrying, name, endpoint, stream)
        assert answers == [(200, f"{fault}-answering")] * REQUESTS, name


@pytest.mark.parametrize(("endpoint", "stream"), EVERY_CALL)
@pytest.mark.parametrize("fault", ["dead-401", "dead-500"])
def test_failures_are_those_of_the_group(
    retrying: ProxyProcess, pairs: dict[str, Pair], fault: str, endpoint: str, stream: bool
) -> None:
    pair = pairs[fault]
    outcomes = {}
    for name in ("plain", "routed"):
        before = pair.calls(name)
        answers = pair.ask(retrying, name, endpoint, stream, 1)
        outcomes[name] = answers, pair.calls(name) - before
    assert outcomes["routed"] == outcomes["plain"]
    assert outcomes["routed"][0][0][0] == int(fault[-3:])


def test_a_deployment_that_cools_down_is_called_once(
    pairs: dict[str, Pair], weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> None:
    pair = pairs["429"]
    with started({"429": pair}, weak, proxy_with, **COOLED) as proxy:
        for name in ("plain", "routed"):
            before = pair.calls(name)
            for endpoint, stream in RETRIED_CALLS:
                answers = pair.ask(proxy, name, endpoint, stream)
                assert answers == [(200, "429-answering")] * REQUESTS, name
            assert pair.calls(name) == before + 1, name
