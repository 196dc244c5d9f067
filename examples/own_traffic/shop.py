"""The shop's LiteLLM proxy, and its staff who ask it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from openai import OpenAI

from routellm_core.decision import Tier
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.demo.standin.answers import chat_answer

from .models import Models
from .world import JUDGE, STRONG, WEAK

KEY = "sk-own-traffic-example"
ALIAS = "shop-assistant"
_AT_ONCE = 4


@dataclass(frozen=True)
class Asked:
    """A question, and what became of it."""

    prompt: str
    tier: Tier
    answer: dict[str, Any]


def config_of(models: Models, folder: Path, router: Path, sample: float) -> dict[str, Any]:
    """Return the proxy's config: a group that is observed, and a routed alias.

    Args:
        models: serves all groups.
        folder: for the store.
        router: checkpoint folder of the alias, with its calibration file.
        sample: share of requests of which the other model is asked as well.
    """
    shadow = {
        "sample": sample,
        "budget_usd": 10,
        "store": str(folder / "traffic.db"),
        "per_minute": 100_000,
        "waiting": 10_000,
    }
    pair = {"strong": STRONG, "weak": WEAK}
    routed = {
        **pair,
        "router_options": {"checkpoint": str(router)},
        "calibration": str(router / "calibration.json"),
        "shadow": shadow,
    }
    observed = {**pair, "observe": True, "strong_share": 0.3, "shadow": shadow}

    def group(name: str, **more: Any) -> dict[str, Any]:
        params = {"model": f"openai/{name}", "api_base": models.url, "api_key": "unused"}
        return {"model_name": name, "litellm_params": params, **more}

    return {
        "model_list": [
            group(STRONG, model_info={"routellm": observed}),
            group(WEAK),
            group(JUDGE),
            {
                "model_name": ALIAS,
                "litellm_params": {
                    "model": "openai/routellm",
                    "api_base": "routellm://never-called",
                    "api_key": "unused",
                },
                "model_info": {"routellm": routed},
            },
        ],
        "litellm_settings": {"callbacks": ["routellm_plugins.litellm.proxy_handler"]},
    }


@contextmanager
def serving(config: dict[str, Any], folder: Path) -> Iterator[ProxyProcess]:
    """Run the proxy on a free port of loopback."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    env = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with ProxyProcess(path, env) as proxy:
        yield proxy


def ask(proxy: ProxyProcess, model: str, prompts: Sequence[str]) -> list[Asked]:
    """Ask a model, or the alias, each question; returns the answers in their order."""
    with (
        OpenAI(base_url=f"{proxy.url}/v1", api_key=KEY) as client,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):

        def one(prompt: str) -> Asked:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": prompt}]
            )
            tier: Tier = "weak" if raw.headers.get("x-routellm-tier") == "weak" else "strong"
            return Asked(prompt, tier, raw.parse().model_dump(exclude_none=True))

        return list(pool.map(one, prompts))


def log_of(models: Models, prompts: Sequence[str]) -> list[Asked]:
    """Return what the strong model answered last month, before there was a proxy."""
    found = []
    for prompt in prompts:
        body = {"model": STRONG, "messages": [{"role": "user", "content": prompt}]}
        found.append(Asked(prompt, "strong", chat_answer(models.answer(body))))
    return found


def write_log(path: Path, asked: Sequence[Asked], model: str) -> None:
    """Write what was asked and answered as OpenAI's chats in JSON lines, as many people log it."""
    rows = (
        {
            "model": model,
            "messages": [{"role": "user", "content": each.prompt}],
            "response": each.answer,
        }
        for each in asked
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
