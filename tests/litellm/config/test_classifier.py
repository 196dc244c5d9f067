"""LiteLLM's own complexity router, with tiers that a trained router chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from routellm_core import ConfigError
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm import RouteLLMClassifier
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import send
from tests.litellm.configs import KEY, group

pytest.importorskip("litellm.router_strategy.complexity_router.config")
try:
    from litellm.types.router import ClassifierPlugin
except ImportError:
    pytest.skip("this LiteLLM takes no classifier", allow_module_level=True)

PAGE = (Path(__file__).parents[3] / "docs/litellm.md").read_text(encoding="utf-8")
MODULE = """
from routellm_plugins.litellm import RouteLLMClassifier

mf = RouteLLMClassifier(strong_share=0.3)
length = RouteLLMClassifier(router="length", threshold=0.6)
failing = RouteLLMClassifier(router="failing", threshold=0.5, on_error="weak")
"""


def entry(name: str, plugin: str) -> dict[str, Any]:
    """Return the page's entry, with another name and classifier."""
    (found,) = re.findall(r"```yaml\n(  - model_name: gpt-4o-auto\n.*?)```", PAGE, re.DOTALL)
    (made,) = yaml.safe_load(found)
    assert made["litellm_params"]["complexity_router_config"]["classifier_plugin"]
    made["model_name"] = name
    made["litellm_params"]["complexity_router_config"]["classifier_plugin"] = plugin
    return dict(made)


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, plugin_path: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxyProcess]:
    folder = tmp_path_factory.mktemp("classified")
    (folder / "our_tiers.py").write_text(MODULE)
    names = ("mf", "length", "failing")
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            *(entry(name, f"our_tiers.{name}") for name in names),
        ]
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    env = {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONPATH": plugin_path,
        "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD": "",
    }
    with ProxyProcess(folder / "config.yaml", env) as process:
        yield process


@pytest.mark.parametrize("endpoint", ["chat/completions", "messages", "responses"])
def test_the_score_decides_on_the_tier(
    proxy: ProxyProcess, strong: Upstream, weak: Upstream, endpoint: str
) -> None:
    for text, upstream in ((EASY, weak), (HARD, strong)):
        before = len(upstream.requests)
        answer = send(proxy, endpoint, "length", f"{text}{endpoint}")
        assert answer.status_code == 200, answer.text
        assert len(upstream.requests) == before + 1


def test_the_bundled_router(proxy: ProxyProcess, strong: Upstream, weak: Upstream) -> None:
    for text, upstream in (("Hello!", weak), (f"{HARD}, rigorously.", strong)):
        before = len(upstream.requests)
        assert send(proxy, "chat/completions", "mf", text).status_code == 200
        assert len(upstream.requests) == before + 1


def test_a_scorer_that_fails_gives_the_tier_of_on_error(
    proxy: ProxyProcess, weak: Upstream
) -> None:
    before = len(weak.requests)
    assert send(proxy, "chat/completions", "failing", HARD).status_code == 200
    assert len(weak.requests) == before + 1


def test_the_sample_of_the_page() -> None:
    (sample,) = re.findall(r"```python\n(# routing\.py.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)
    assert isinstance(names["classifier"], ClassifierPlugin)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strong_shar": 0.3}, "unknown key 'strong_shar': did you mean 'strong_share'?"),
        ({}, "neither 'strong_share' nor 'threshold' is set"),
        ({"threshold": 0.5, "strong_tier": "SIMPLE"}, "are both 'SIMPLE': name two"),
        ({"threshold": 0.5, "sticky": "conversation"}, "remove 'sticky': LiteLLM keeps"),
    ],
)
def test_mistakes_are_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        RouteLLMClassifier(**settings)
    assert message in str(raised.value)
