"""The example config, as `litellm --config` runs it, with the trained router."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from routellm_core import RoutingPolicy
from routellm_plugins.litellm.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import KEY

EXAMPLE = Path(__file__).parents[2] / "examples/litellm/config.yaml"
PROMPTS = [
    "hi",
    "What is the capital of France?",
    "Thanks, that helps!",
    "Prove that every bounded sequence of real numbers has a convergent subsequence.",
    "Write a Rust function that merges two sorted linked lists in place, explaining lifetimes.",
    "A train leaves at 9:40 at 80 km/h, another at 10:05 at 110 km/h; when do they meet?",
]


@pytest.fixture(scope="module")
def proxy(strong: Upstream, weak: Upstream) -> Iterator[ProxyProcess]:
    env = {
        "STRONG_API_BASE": strong.url,
        "STRONG_API_KEY": "unused",
        "WEAK_API_BASE": weak.url,
        "WEAK_API_KEY": "unused",
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    with ProxyProcess(EXAMPLE, env) as process:
        yield process


def test_prompts_go_where_the_trained_router_sends_them(proxy: ProxyProcess) -> None:
    policy = RoutingPolicy("mf", strong_share=0.3)
    with OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY, max_retries=0) as client:
        for prompt in PROMPTS:
            messages = [{"role": "user", "content": prompt}]
            raw = client.chat.completions.with_raw_response.create(
                model="gpt-4o-router", messages=messages
            )
            decision = policy.decide(prompt)
            expected = "gpt-4o" if decision.tier == "strong" else "gpt-4o-mini"
            text = raw.parse().choices[0].message.content
            assert text.split(" ")[0] == expected
            assert float(raw.headers["x-routellm-score"]) == pytest.approx(decision.score, rel=1e-4)
            assert float(raw.headers["x-routellm-threshold"]) == pytest.approx(
                policy.threshold, rel=1e-4
            )
        for threshold, model in ((0, "gpt-4o"), (1, "gpt-4o-mini")):
            answer = client.chat.completions.create(
                model=f"router-mf-{threshold}", messages=[{"role": "user", "content": "hi"}]
            )
            assert answer.choices[0].message.content.split(" ")[0] == model
