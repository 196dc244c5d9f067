"""The other group is called where a request for it could have been sent, and with that key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm import Router

from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm import install
from tests.fakes import routers
from tests.fakes.limited_keys import made_key
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import HARD
from tests.litellm.application.shared import user
from tests.litellm.calls import body_of, post
from tests.litellm.configs import HANDLER, alias, group
from tests.litellm.shadow.entries import observed, shadow

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Router.(discard|model_list|upsert_deployment) is deprecated"
    ),
]
LENGTH = {"router": "length", "threshold": 0.6}


@pytest.fixture
def other() -> Iterator[Upstream]:
    """Where the other deployment of the weak group, or the environment's account, is."""
    with Upstream("gpt-4o-mini") as upstream:
        yield upstream


@pytest.fixture
def router_of(
    plugin: Callable[[object], object], tmp_path: Path
) -> Iterator[Callable[..., Router]]:
    plugin(routers)
    made: list[Router] = []
    before = list(litellm.callbacks)

    def make(entries: list[dict[str, Any]], **settings: Any) -> Router:
        routed = alias("routed", **LENGTH, shadow=shadow(tmp_path, "kept"))
        made.append(Router(model_list=[*entries, routed], num_retries=0, **settings))
        install(made[-1])
        return made[-1]

    yield make
    for router in made:
        router.discard()
    litellm.callbacks = before


async def waited(words: str, *upstreams: Upstream) -> list[int]:
    """Return how often each was asked, after at least one was, or some seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not any(each.asked(words) for each in upstreams):
        await asyncio.sleep(0.1)
    return [len(each.asked(words)) for each in upstreams]


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize(
    ("here", "there", "asking", "settings"),
    [
        (
            {"tags": ["eu", "paid"]},
            {"tags": ["default", "paid"]},
            {"metadata": {"tags": ["eu"]}},
            {"enable_tag_filtering": True},
        ),
        (
            {"tags": ["default", "paid"]},
            {"tags": ["paid", "eu"]},
            {},
            {"enable_tag_filtering": True},
        ),
        (
            {"region_name": "eu"},
            {"region_name": "us"},
            {"allowed_model_region": "eu"},
            {"enable_pre_call_checks": True},
        ),
        (
            {"access_groups": ["permitted"]},
            {"access_groups": ["of others"]},
            {"models_of_key": ["routed", "permitted"]},
            {},
        ),
        ({"weight": 1}, {"weight": 0}, {}, {}),
        ({"order": 1}, {"order": 2}, {}, {}),
        pytest.param(
            {"id": "here"},
            {"id": "there"},
            {"_router_weights": {"gpt-4o-mini": {"here": 1.0, "there": 0.0}}},
            {},
            marks=pytest.mark.skipif(
                find_spec("litellm.types.router_weights") is None,
                reason="this LiteLLM has no weights of keys and teams",
            ),
        ),
    ],
)
async def test_what_limits_a_request_holds_for_the_other_group(
    router_of: Callable[..., Router],
    strong: Upstream,
    weak: Upstream,
    other: Upstream,
    here: dict[str, Any],
    there: dict[str, Any],
    asking: dict[str, Any],
    settings: dict[str, Any],
    responses: bool,
) -> None:
    """As for a request that names the group."""
    if "models_of_key" in asking:
        from litellm.proxy._types import UserAPIKeyAuth  # here, since the import may warn

        key = UserAPIKeyAuth(api_key="a key", models=asking["models_of_key"])
        asking = {"metadata": {"user_api_key_auth": key}}

    def limited(name: str, upstream: Upstream, params: dict[str, Any]) -> dict[str, Any]:
        entry = group(name, upstream)
        part = "model_info" if {"access_groups", "id"} & set(params) else "litellm_params"
        if "id" in params and name == "gpt-4o":
            return entry
        entry[part] = {**entry.get(part, {}), **params}
        return entry

    entries = [limited("gpt-4o", strong, here)]
    entries += [limited("gpt-4o-mini", weak, here), limited("gpt-4o-mini", other, there)]
    router = router_of(entries, **settings)
    if responses and "metadata" in asking:
        asking = {"litellm_metadata": asking["metadata"]}
    for number in range(8):
        words = f"{HARD} {number} {here}"
        given = {key: dict(v) if isinstance(v, dict) else v for key, v in asking.items()}
        if responses:
            await router.aresponses(model="routed", input=words, **given)
        else:
            await router.acompletion("routed", user(words), **given)
        assert await waited(words, weak, other) == [1, 0]


async def test_what_all_calls_of_a_router_have_is_in_that_of_the_other_group(
    router_of: Callable[..., Router],
    weak: Upstream,
    other: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", other.url)
    monkeypatch.setenv("OPENAI_API_BASE", other.url)
    monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
    names = ("gpt-4o", "gpt-4o-mini")
    entries = [{"model_name": n, "litellm_params": {"model": f"openai/{n}"}} for n in names]
    account = {"api_base": weak.url, "api_key": "unused"}
    router = router_of(entries, default_litellm_params=account)
    words = f"{HARD} by default"
    await router.acompletion("routed", user(words))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(weak.asked(words)) + len(other.asked(words)) < 2:
        await asyncio.sleep(0.1)
    assert [len(weak.asked(words)), len(other.asked(words))] == [2, 0]


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    broken: Upstream,
    proxy_with: Callable[..., ProxyProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProxyProcess]:
    kept = shadow(tmp_path_factory.mktemp("kept"), "kept")
    own, other = group("gpt-4o", strong), group("gpt-4o-mini", weak)
    for each in (own, other):
        each["litellm_params"]["configurable_clientside_auth_params"] = ["api_key", "api_base"]
    config = {
        "model_list": [
            observed(own, strong="gpt-4o", weak="gpt-4o-mini", shadow=kept, **LENGTH),
            other,
            group("spare", strong),
            group("down", broken),
            alias("routed", shadow=kept, **LENGTH),
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "fallbacks": [{"down": ["routed"]}],
        },
        "general_settings": {
            "custom_auth": "tests.fakes.limited_keys.authenticate",
            "custom_auth_run_common_checks": True,
        },
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


RENAMED = {"aliases": {"gpt-4o-mini": "spare"}}
OVERRIDDEN = {"router_settings": {"model_group_alias": {"gpt-4o-mini": "spare"}}}


@pytest.mark.parametrize("model", ["routed", "gpt-4o", "down"])
@pytest.mark.parametrize("values", [RENAMED, OVERRIDDEN, {}])
def test_another_group_in_place_of_one(
    proxy: ProxyProcess, weak: Upstream, model: str, values: dict[str, Any]
) -> None:
    words = f"{HARD} {model} {'with' if values else 'without'} {list(values)}"
    answer = post(
        proxy,
        "v1/chat/completions",
        body_of("chat/completions", model, words),
        made_key(7, **values),
    )
    assert answer.status_code == 200, answer.text
    asked = asyncio.run(waited(words, weak))
    assert asked == [0 if values else 1]


@pytest.mark.parametrize("model", ["routed", "gpt-4o"])
@pytest.mark.parametrize("own", [True, False])
def test_a_request_with_an_account_of_the_client_s_own(
    proxy: ProxyProcess, strong: Upstream, weak: Upstream, model: str, own: bool
) -> None:
    words = f"{HARD} {model} {own}"
    body = body_of("chat/completions", model, words)
    account = {"api_key": "sk-of-the-client", "api_base": strong.url} if own else {}
    answer = post(proxy, "v1/chat/completions", {**body, **account})
    assert answer.status_code == 200, answer.text
    assert asyncio.run(waited(words, weak)) == [0 if own else 1]
