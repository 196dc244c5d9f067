"""A Router that is changed while it serves: prompts go only where its entries say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import litellm
import pytest
from litellm import Router
from litellm.types.router import Deployment, LiteLLM_Params, ModelInfo

from routellm_core import Decision, hookimpl
from routellm_plugins.litellm import install
from routellm_plugins.litellm.config.routes import is_routed
from routellm_plugins.litellm.proxy import RouteLLMProxyHandler
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.configs import alias, group

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Router.(delete_deployment|discard|get_available_deployment|get_model_(group_info|list)"
        "|model_list|set_model_list|update_settings|upsert_deployment) is"
    ),
]
ROOT = Path(__file__).parents[3]
USUAL = {"router": "length", "threshold": 0.6}


@pytest.fixture(autouse=True)
def _fake_routers(plugin: Any) -> None:
    plugin(routers)


@pytest.fixture
def seen(plugin: Callable[[object], object]) -> list[Decision]:
    decisions: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: decisions.append(decision))))
    return decisions


@pytest.fixture
def entries(strong: Upstream, weak: Upstream) -> list[dict[str, Any]]:
    return [group("gpt-4o", strong), group("gpt-4o-mini", weak), alias("gpt-4o-router", **USUAL)]


@pytest.fixture
def router(entries: list[dict[str, Any]]) -> Iterator[Router]:
    router = Router(model_list=entries, num_retries=0)
    install(router)
    yield router
    router.discard()


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def answered_by(answer: Any) -> str:
    return (answer.choices[0].message.content or "").split(" ")[0]


def without_selection(router: Router) -> None:
    """Take from a Router what selects for aliases, as another part of an application could."""
    replaced = ("get_available_deployment", "_custom_pick_sync", "_pre_route", "_routing_inputs")
    for name in replaced:
        vars(vars(router).get("_core", router)).pop(name, None)


async def test_another_routing_strategy_serves_the_groups(router: Router) -> None:
    for strategy in ("latency-based-routing", "least-busy", "simple-shuffle"):
        router.update_settings(routing_strategy=strategy)
        for text, model in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
            assert answered_by(router.completion("gpt-4o-router", user(text))) == model
            assert answered_by(await router.acompletion("gpt-4o-router", user(text))) == model


def test_without_a_strategy_a_deployment_of_the_groups_answers(
    router: Router, strong: Upstream, weak: Upstream
) -> None:
    without_selection(router)
    assert answered_by(router.completion("gpt-4o-router", user(HARD))) == "gpt-4o-mini"


def test_an_entry_stands_for_what_a_pattern_serves_and_then_for_nothing(
    strong: Upstream, weak: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_model = {"model": "openai/*", "api_base": strong.url, "api_key": "unused"}
    entries = [
        {"model_name": "openai/*", "litellm_params": any_model},
        alias("wild", strong="openai/a", weak="openai/b", **USUAL),
    ]
    router = Router(model_list=entries, num_retries=0)
    install(router)
    assert answered_by(router.completion("wild", user(HARD))) == "gpt-4o"
    without_selection(router)
    router.completion("wild", user("sent as for its weak group"))
    assert [each["model"] for each in strong.asked("sent as for its weak group")] == ["b"]
    (pattern,) = (each for each in router.model_list if each["model_name"] == "openai/*")
    router.delete_deployment(id=pattern["model_info"]["id"])
    with Upstream("a web proxy") as web_proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, web_proxy.url.removesuffix("/v1"))
        with pytest.raises(litellm.InternalServerError):
            router.completion("wild", user("never to be sent"))
        assert web_proxy.requests == []
    assert not strong.asked("never to be sent")
    router.discard()


@pytest.mark.parametrize(
    ("deleted", "left"), [("gpt-4o", "gpt-4o-mini"), ("gpt-4o-mini", "gpt-4o")]
)
async def test_a_deleted_group_leaves_the_alias_to_the_other(
    router: Router, seen: list[Decision], deleted: str, left: str
) -> None:
    (entry,) = router.get_model_list(deleted) or []
    router.delete_deployment(id=entry["model_info"]["id"])
    for text in (HARD, EASY):
        assert answered_by(router.completion("gpt-4o-router", user(text))) == left
        assert answered_by(await router.acompletion("gpt-4o-router", user(text))) == left
    assert {decision.cause for decision in seen} == {"no_group"}


def test_what_follows_from_a_group_is_changed_with_it(router: Router, weak: Upstream) -> None:
    """Without another request: endpoints of the proxy's read addresses and keys from the list."""

    def lent() -> dict[str, Any]:
        (entry,) = router.get_model_list("gpt-4o-router") or []
        params: dict[str, Any] = dict(entry["litellm_params"])
        return {k: params.get(k) for k in ("model", "api_key", "use_in_pass_through")}

    late = {**group("gpt-4o-mini", weak)["litellm_params"], "use_in_pass_through": True}
    (first,) = router.get_model_list("gpt-4o-mini") or []
    for key in ("sk-1", "sk-2"):
        params = LiteLLM_Params(**{**late, "api_key": key})
        info = ModelInfo(id=first["model_info"]["id"])
        router.upsert_deployment(Deployment("gpt-4o-mini", params, info))
        assert lent() == {
            "model": "openai/gpt-4o-mini",
            "api_key": key,
            "use_in_pass_through": None,
        }
    router.upsert_deployment(Deployment("another", params, info))
    assert lent()["model"] == "openai/gpt-4o"
    router.delete_deployment(id=(router.get_model_list("gpt-4o") or [])[0]["model_info"]["id"])
    assert lent()["api_key"] == "unused"
    assert lent()["model"] == "openai/routellm"


async def test_a_group_that_gets_what_is_too_long_from_now_on(
    entries: list[dict[str, Any]], weak: Upstream, strong: Upstream, seen: list[Decision]
) -> None:
    small, large = (
        # LiteLLM shares what it knows between entries of one model.
        {
            "model_name": name,
            "litellm_params": {
                **group(name, upstream)["litellm_params"],
                "model": f"openai/{name}",
            },
            "model_info": {"max_input_tokens": window},
        }
        for name, upstream, window in (("small", weak, 100), ("large", strong, 10_000))
    )
    marker = alias("router", **{**USUAL, "threshold": 1, "weak": "small"})
    router = Router(model_list=[entries[0], small, large, marker])
    install(router)
    for fallbacks in ([], [{"small": ["large"]}]):
        router.update_settings(context_window_fallbacks=fallbacks)
        await router.acompletion("router", user("rain" * 300))
    assert [decision.cause for decision in seen] == ["context_window", "score"]
    router.discard()


@pytest.mark.parametrize("price", [0, 1e-6])
def test_an_alias_is_free_only_if_its_groups_are(
    strong: Upstream, weak: Upstream, price: float
) -> None:
    from litellm.proxy.auth.auth_checks import _is_model_cost_zero

    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    paid = {"input_cost_per_token": price, "output_cost_per_token": price}
    groups = [
        {
            "model_name": name,
            "litellm_params": {**group(name, upstream)["litellm_params"], **prices},
        }
        for name, upstream, prices in (("gpt-4o", strong, paid), ("gpt-4o-mini", weak, free))
    ]
    marker = alias("gpt-4o-router", **USUAL)
    marker = {**marker, "model_info": {**marker["model_info"], **free}}
    router = Router(model_list=[*groups, marker])
    install(router)
    assert _is_model_cost_zero("gpt-4o-router", router) == (price == 0)
    router.discard()


async def test_a_limit_of_a_key_that_names_the_alias_is_reported(
    router: Router, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = SimpleNamespace(llm_router=router, app=None)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
    key = SimpleNamespace(metadata={"model_rpm_limit": {"gpt-4o-router": 5}}, team_metadata=None)
    for _ in range(2):
        data = {"model": "gpt-4o-router", "messages": user(EASY)}
        await RouteLLMProxyHandler().async_pre_call_hook(key, None, data, "acompletion")
    assert caplog.text.count("names 'gpt-4o-router', which is routed, and is not applied") == 1


@pytest.mark.parametrize("holder", ["", "user_", "end_user_", "team_", "team_member_"])
async def test_budgets_for_a_group_hold_for_what_is_routed_to_it(
    router: Router, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    # Not at the top: LiteLLM's proxy warns when it is imported.
    from litellm.caching.caching import DualCache
    from litellm.proxy._types import UserAPIKeyAuth
    from litellm.proxy.hooks.model_max_budget_limiter import (
        _PROXY_VirtualKeyModelMaxBudgetLimiter,
    )

    limiter = _PROXY_VirtualKeyModelMaxBudgetLimiter(dual_cache=DualCache())
    if not hasattr(limiter, f"is_{holder or 'key_'}within_model_budget"):
        pytest.skip("this LiteLLM has no such budgets")
    server = SimpleNamespace(llm_router=router, model_max_budget_limiter=limiter, app=None)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
    handler = RouteLLMProxyHandler()
    budgets = {"gpt-4o": {"budget_limit": 1.0, "time_period": "1d"}}
    ids = {"user_id": "a user", "end_user_id": "an end user", "team_id": "a team"}
    key = UserAPIKeyAuth(api_key="sk-1", **ids, **{f"{holder}model_max_budget": budgets})

    async def ask(text: str) -> dict[str, Any]:
        data = {"model": "gpt-4o-router", "messages": user(text), "metadata": {}}
        await handler.async_pre_call_hook(key, None, data, "acompletion")
        return data

    data = await ask(HARD)
    metadata = {**data["metadata"], f"user_api_key_{holder}model_max_budget": budgets}
    known = {"hash": key.token, **ids}
    payload = {
        "model_group": data["model"],
        "response_cost": 2.0,
        "metadata": {f"user_api_key_{name}": value for name, value in known.items()},
    }
    kwargs = {"litellm_params": {"metadata": metadata}, "standard_logging_object": payload}
    await handler.async_logging_hook(kwargs, None, "acompletion")
    assert payload["model_group"] == "gpt-4o-router"
    await handler.async_log_success_event(kwargs, None, None, None)
    with pytest.raises(litellm.BudgetExceededError):
        await ask(HARD)
    assert (await ask(EASY))["model"] == "gpt-4o-mini"


@pytest.mark.parametrize("mapped", [False, True])
async def test_accounts_that_the_user_has_connected(
    strong: Upstream, weak: Upstream, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    """Of the group that is chosen; not where a header may have set whose they are."""
    from litellm.proxy import litellm_pre_call_utils
    from litellm.types.utils import CredentialItem

    if not hasattr(litellm_pre_call_utils, "_resolve_user_provider_credentials_for_request"):
        pytest.skip("this LiteLLM has no accounts of users")
    from litellm.proxy.credential_endpoints import user_provider_credentials

    async def tokens(*, user_id: str, credential_names: list[str], **_: Any) -> dict[str, str]:
        return {name: f"{name} of {user_id}" for name in credential_names}

    per_user = {"github_copilot_auth_type": "per_user_oauth"}
    item = CredentialItem(credential_name="own", credential_values=per_user, credential_info={})
    monkeypatch.setattr(litellm, "credential_list", [item])
    for name in ("aget_user_provider_tokens", "aget_user_provider_credentials"):
        if hasattr(user_provider_credentials, name):
            monkeypatch.setattr(user_provider_credentials, name, tokens)
    connected = group("gpt-4o", strong)
    connected["litellm_params"]["litellm_credential_name"] = "own"
    router = Router(
        model_list=[connected, group("gpt-4o-mini", weak), alias("gpt-4o-router", **USUAL)]
    )
    server = SimpleNamespace(
        llm_router=router,
        app=None,
        prisma_client=object(),
        user_api_key_cache=None,
        general_settings={"user_header_mappings": [{}]} if mapped else {},
    )
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
    key = SimpleNamespace(user_id="ann", team_id=None)
    loaded = []
    for text in (HARD, EASY):
        data = {"model": "gpt-4o-router", "messages": user(text), "secret_fields": {}}
        await RouteLLMProxyHandler().async_pre_call_hook(key, None, data, "acompletion")
        loaded.append(data["secret_fields"])
    account = {
        "user_provider_credentials": {"own": "own of ann"},
        "user_provider_credentials_user_id": "ann",
    }
    assert loaded == ([{}, {}] if mapped else [account, {}])
    router.discard()


def test_each_alias_has_its_own_window(entries: list[dict[str, Any]]) -> None:
    own = alias("own", **USUAL)
    own["model_info"] = {**own["model_info"], "max_input_tokens": 1000}
    router = Router(model_list=[*entries, own])
    install(router)
    windows = {
        name: router.get_model_group_info(name).max_input_tokens
        for name in ("gpt-4o", "gpt-4o-mini", "gpt-4o-router", "own")
    }
    assert windows.pop("own") == 1000
    assert set(windows.values()) == {128_000}
    router.discard()


def test_an_entry_may_repeat_the_weak_model(entries: list[dict[str, Any]], weak: Upstream) -> None:
    entries[-1]["litellm_params"] = group("gpt-4o-mini", weak)["litellm_params"]
    router = Router(model_list=entries, num_retries=0)
    assert answered_by(router.completion("gpt-4o-router", user(HARD))) == "gpt-4o-mini"
    install(router)
    for text, model in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini")):
        assert answered_by(router.completion("gpt-4o-router", user(text))) == model
    router.discard()


RELOADS = """
import asyncio, sys
import litellm
from litellm.proxy import proxy_server
from routellm_plugins.litellm import proxy_handler

async def main():
    for _ in range(3):
        config = proxy_server.ProxyConfig()
        loaded = await config.load_config(router=None, config_file_path=sys.argv[1])
        proxy_server.llm_router = loaded[0]
        await asyncio.sleep(0.3)
        data = {"model": "gpt-4o-router", "messages": [{"role": "user", "content": "hi"}]}
        await proxy_handler.async_pre_call_hook(None, None, data, "acompletion")
    print(litellm.callbacks.count(proxy_handler), data["model"])

asyncio.run(main())
"""


def test_a_config_that_is_read_again_lists_the_handler_once(
    entries: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = {
        "model_list": [*entries[:2], alias("gpt-4o-router", strong_share=0.3)],
        "litellm_settings": {"callbacks": ["routellm_plugins.litellm.proxy_handler"]},
    }
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config))
    script = [sys.executable, "-c", RELOADS, str(path)]
    done = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split()[-2:] == ["1", "gpt-4o-mini"]


def stored(entry: dict[str, Any], **params: Any) -> Deployment:
    """Return an entry as LiteLLM reads it from its database, each time anew."""
    name, info = entry["model_name"], entry.get("model_info", {})
    return Deployment(
        model_name=name,
        litellm_params=LiteLLM_Params(**{**entry["litellm_params"], **params}),
        model_info={"id": f"id of {name}", "db_model": True, **info},
    )


def test_what_a_database_holds_as_before_is_left_in_place(
    router: Router, strong: Upstream, weak: Upstream
) -> None:
    """LiteLLM puts the entries of its database into the Router every 30 seconds."""
    guarded = group("guarded", strong)
    guarded["litellm_params"]["guardrails"] = ["words"]
    held = [guarded, alias("late-router", strong="guarded", **USUAL)]
    free = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}

    def entry() -> Any:
        (found,) = (e for e in router.get_model_list() or [] if e["model_name"] == "late-router")
        return found

    router.upsert_deployment(stored(held[0]))
    assert router.upsert_deployment(stored(held[1])) is not None
    for _ in range(2):
        for each in held:
            assert router.upsert_deployment(stored(each)) is None
        assert entry()["litellm_params"]["guardrails"] == ["words"]
        assert entry()["litellm_params"]["api_base"] == weak.url
    assert router.upsert_deployment(stored(held[1], **free)) is not None
    assert "input_cost_per_token" not in entry()["litellm_params"]
    assert entry()["litellm_params"]["guardrails"] == ["words"]
    assert answered_by(router.completion("late-router", user(HARD))) == "gpt-4o"


def test_what_a_changed_group_costs_counts_for_the_alias(router: Router, strong: Upstream) -> None:
    priced = group("priced", strong)
    router.upsert_deployment(stored(priced))
    router.upsert_deployment(stored(alias("late-router", strong="priced", **USUAL)))
    for price in (1e-3, 2e-3):
        prices = {"input_cost_per_token": price, "output_cost_per_token": price}
        router.upsert_deployment(stored(priced, **prices))
        router.completion("late-router", user(HARD))
        info = router.get_model_group_info(model_group="late-router")
        assert info is not None
        assert info.input_cost_per_token == price


def test_an_alias_of_a_new_list_is_described_again() -> None:
    """Also where the new entries say the same about routing as those before."""
    prices = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    params = {"model": "openai/of-no-price", "api_key": "unused", "guardrails": ["pii"]}
    entries = [
        {"model_name": name, "litellm_params": {**params, **prices}}
        for name in ("gpt-4o", "gpt-4o-mini")
    ]
    entries.append({**alias("gpt-4o-router", **USUAL), "litellm_params": params})
    router = Router(model_list=entries)
    install(router)

    def described() -> dict[str, Any]:
        router.get_available_deployment("gpt-4o-router", user(EASY))
        (entry,) = router.get_model_list("gpt-4o-router") or []
        return {name: entry["model_info"].get(name) for name in prices}

    assert described() == prices
    router.set_model_list(entries)
    assert described() == prices
    router.discard()


def test_a_guardrail_is_asked_for_no_longer_than_its_group_has_it(
    entries: list[dict[str, Any]],
) -> None:
    entries[0]["litellm_params"]["guardrails"] = ["pii"]
    entries[2]["litellm_params"] = {**entries[2]["litellm_params"], "guardrails": ["own"]}
    router = Router(model_list=entries)
    install(router)

    def guardrails() -> list[str]:
        router.get_available_deployment("gpt-4o-router", user(EASY))
        (entry,) = router.get_model_list("gpt-4o-router") or []
        return list(entry["litellm_params"]["guardrails"])

    assert guardrails() == ["own", "pii"]
    (strong,) = router.get_model_list("gpt-4o") or []
    params = {**strong["litellm_params"], "guardrails": None}
    info = ModelInfo(**strong["model_info"])
    router.upsert_deployment(Deployment("gpt-4o", LiteLLM_Params(**params), info))
    assert guardrails() == ["own"]
    router.discard()


async def test_an_account_of_a_request_s_own_leaves_the_alias_as_it_is(
    router: Router, strong: Upstream
) -> None:
    account = {"api_key": "sk-own", "api_base": strong.url}
    for own in (account, {}):
        answer = await router.acompletion("gpt-4o-router", user(f"{HARD} {len(own)}"), **own)
        assert answered_by(answer) == "gpt-4o"


def test_a_long_list_that_is_put_in_place_one_by_one(
    strong: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As LiteLLM does with what its database holds; each entry costs what its own aliases cost."""
    entries = [group(f"group-{n}", strong) for n in range(40)]
    for number, entry in enumerate(entries):
        entry["model_info"] = {"id": f"id-{number}"}
    names = [{"strong": f"group-{n}", "weak": f"group-{n + 1}"} for n in range(0, 40, 2)]
    aliases = [alias(f"alias-{n}", **USUAL, **each) for n, each in enumerate(names)]
    router = Router(model_list=[*entries, *aliases], num_retries=0)
    strategy = install(router)
    described: list[str] = []
    group_info = strategy.access.group_info
    monkeypatch.setattr(
        strategy.access, "group_info", lambda name: described.append(name) or group_info(name)
    )
    for number in range(40):
        params = group("", strong)["litellm_params"]
        given = LiteLLM_Params(**{**params, "api_key": f"sk-new-{number}"})
        router.upsert_deployment(Deployment(f"group-{number}", given, ModelInfo(id=f"id-{number}")))
    assert len(described) <= 100
    held = [e["litellm_params"]["api_key"] for e in router.model_list if is_routed(e)]
    assert held == [f"sk-new-{n}" for n in range(1, 40, 2)]
    router.discard()
