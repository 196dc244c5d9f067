"""Budgets of providers and deployments, and choice by tags, for a group and for its alias."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, body_of, post
from tests.litellm.configs import HANDLER, alias, group

USUAL = {"router": "length", "threshold": 0.6}
DEAR = {"input_cost_per_token": 0.01, "output_cost_per_token": 0.01}
BUDGET = {"max_budget": 0.001, "budget_duration": "1d"}


def entry(name: str, upstream: Upstream, **params: Any) -> dict[str, Any]:
    made = group(name, upstream)
    made["litellm_params"].update(params)
    return made


@pytest.fixture(scope="module")
def paid() -> Iterator[Upstream]:
    with Upstream("paid") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, paid: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    config = {
        "model_list": [
            entry("gpt-4o-mini", weak, tags=["default"]),
            entry("tagged", strong, tags=["default"]),
            entry("tagged", paid, tags=["paid"]),
            entry("plain-budgeted", strong, **DEAR, **BUDGET, tags=["default"]),
            entry("routed-budgeted", strong, **DEAR, **BUDGET, tags=["default"]),
            *(
                entry(name, strong, **DEAR, tags=["default"], model=f"{provider}/gpt-4o")
                for name, provider in (
                    ("plain-provided", "hosted_vllm"),
                    ("routed-provided", "xai"),
                )
            ),
            alias("tagged-router", strong="tagged", **USUAL),
            alias("budgeted-router", strong="routed-budgeted", **USUAL),
            alias("provided-router", strong="routed-provided", **USUAL),
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "enable_tag_filtering": True,
            "provider_budget_config": {
                provider: {"budget_limit": 0.001, "time_period": "1d"}
                for provider in ("hosted_vllm", "xai")
            },
        },
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


def ask(proxy: ProxyProcess, endpoint: str, model: str, text: str, *tags: str) -> Any:
    headers = {"x-litellm-tags": ",".join(tags)} if tags else {}
    return post(proxy, f"v1/{endpoint}", body_of(endpoint, model, text), **headers)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("tags", "answering"), [((), "gpt-4o"), (("paid",), "paid"), (("none",), "gpt-4o")]
)
def test_tags_choose_the_deployment(
    proxy: ProxyProcess, endpoint: str, tags: tuple[str, ...], answering: str
) -> None:
    for model in ("tagged", "tagged-router"):
        answer = ask(proxy, endpoint, model, HARD, *tags)
        assert answer.status_code == 200, (model, answer.text)
        assert f"{answering} here" in answer.text, model


@pytest.mark.parametrize("holder", ["budgeted", "provided"])
def test_a_budget_that_is_used_up(proxy: ProxyProcess, holder: str) -> None:
    refusals = []
    for model in (f"plain-{holder}", f"{holder}-router"):
        first, *_ = statuses = [ask(proxy, "chat/completions", model, HARD)]
        assert first.status_code == 200, first.text
        deadline = time.monotonic() + 30
        while statuses[-1].status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.5)  # spend is counted after the answer
            statuses.append(ask(proxy, "chat/completions", model, HARD))
        refused = statuses[-1]
        assert refused.status_code != 200, model
        refusals.append((refused.status_code, refused.json()["error"]["type"]))
    assert refusals[0] == refusals[1]
    # What the weak group serves goes on.
    easy = ask(proxy, "chat/completions", f"{holder}-router", EASY)
    assert easy.status_code == 200, easy.text
