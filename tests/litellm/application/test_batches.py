"""Files and batches of an alias in an application's Router: they are its entry's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import litellm
import openai
import pytest
from litellm.cost_calculator import batch_cost_calculator
from litellm.exceptions import BadRequestError
from litellm.litellm_core_utils.litellm_logging import deployment_pricing_model_info
from litellm.router import Router
from litellm.types.router import Deployment, LiteLLM_Params, ModelInfo

from routellm_plugins.litellm import install
from tests.fakes import routers
from tests.fakes.other_endpoints import OtherEndpoints
from tests.fakes.routers import HARD
from tests.litellm.application.shared import WARNINGS, user
from tests.litellm.configs import alias

pytestmark = WARNINGS

Call = Callable[[Router, str], Awaitable[Any]]
NEW: dict[str, Any] = {
    "input_file_id": "file-1",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}
CALLS: dict[str, tuple[Call, list[str]]] = {
    "create": (lambda router, name: router.acreate_batch(model=name, **NEW), ["POST /batches"]),
    "retrieve": (
        lambda router, name: router.aretrieve_batch(model=name, batch_id="b"),
        ["GET /batches/b"],
    ),
    "cancel": (
        lambda router, name: router.acancel_batch(model=name, batch_id="b"),
        ["POST /batches/b/cancel"],
    ),
    "upload": (
        lambda router, name: router.acreate_file(
            model=name, file=("a.txt", b"text"), purpose="user_data"
        ),
        ["POST /files"],
    ),
    "content": (
        lambda router, name: router.afile_content(
            model=name, file_id="file-1", custom_llm_provider="openai"
        ),
        ["GET /files/file-1/content"],
    ),
    "delete": (
        lambda router, name: router.afile_delete(
            model=name, file_id="file-1", custom_llm_provider="openai"
        ),
        ["DELETE /files/file-1"],
    ),
}


@pytest.fixture
def upstreams() -> Iterator[dict[str, OtherEndpoints]]:
    with OtherEndpoints("gpt-4o") as strong, OtherEndpoints("gpt-4o-mini") as weak:
        yield {"gpt-4o": strong, "gpt-4o-mini": weak}


@pytest.fixture
def router(
    upstreams: dict[str, OtherEndpoints], plugin: Callable[[object], object]
) -> Iterator[Router]:
    plugin(routers)
    groups = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": each.url,
                "api_key": "unused",
            },
        }
        for name, each in upstreams.items()
    ]
    routed = alias("gpt-4o-router", router="length", threshold=0)  # all chats to the strong one
    router = Router(model_list=[*groups, routed, alias("router-*")], num_retries=0)
    install(router)
    yield router
    router.discard()


def asked(upstreams: dict[str, OtherEndpoints]) -> dict[str, list[str]]:
    return {n: [f"{how} {path}" for how, path, _ in u.asked] for n, u in upstreams.items()}


@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("by", ["name", "id"])
async def test_they_go_to_the_entry(
    router: Router, upstreams: dict[str, OtherEndpoints], case: str, by: str
) -> None:
    call, expected = CALLS[case]
    (entry,) = router.get_model_list("gpt-4o-router") or []
    await call(router, "gpt-4o-router" if by == "name" else entry["model_info"]["id"])
    assert asked(upstreams) == {"gpt-4o": [], "gpt-4o-mini": expected}


@pytest.mark.parametrize("case", CALLS)
async def test_a_name_of_a_pattern_leads_to_the_account_of_now(
    router: Router, upstreams: dict[str, OtherEndpoints], case: str
) -> None:
    with OtherEndpoints("other") as other:
        moved = deployed(router, "gpt-4o-mini", api_base=other.url)
        router.upsert_deployment(deployment=moved)
        call, expected = CALLS[case]
        await call(router, "router-length-0.6")
        now = asked({**upstreams, "other": other})
    assert now == {"gpt-4o": [], "gpt-4o-mini": [], "other": expected}


def deployed(router: Router, name: str, **changes: Any) -> Deployment:
    """Return the only entry of a name, with other parameters of LiteLLM's."""
    (entry,) = router.get_model_list(name) or []
    params = {**entry["litellm_params"], **changes}
    return Deployment(name, LiteLLM_Params(**params), ModelInfo(**entry["model_info"]))


async def test_they_follow_the_weak_group_to_another_account(
    router: Router, upstreams: dict[str, OtherEndpoints]
) -> None:
    call, expected = CALLS["upload"]
    await call(router, "gpt-4o-router")
    moved = {"api_base": upstreams["gpt-4o"].url, "api_key": "sk-new"}
    router.upsert_deployment(deployed(router, "gpt-4o-mini", **moved))
    await call(router, "gpt-4o-router")
    assert asked(upstreams) == {"gpt-4o": expected, "gpt-4o-mini": expected}
    assert upstreams["gpt-4o"].headers[-1]["authorization"] == "Bearer sk-new"


async def test_the_key_of_an_entry_follows_too(router: Router) -> None:
    """The proxy looks it up for a file that is uploaded with ``model``."""
    for key in ("sk-second", "sk-third"):
        router.upsert_deployment(deployed(router, "gpt-4o-mini", api_key=key))
        found = router.get_deployment_credentials_with_provider("gpt-4o-router") or {}
        assert found["api_key"] == key


@pytest.mark.parametrize("how", ["deleted", "paused"])
async def test_they_go_to_no_entry_that_is_gone(
    router: Router, upstreams: dict[str, OtherEndpoints], how: str
) -> None:
    call, expected = CALLS["upload"]
    await call(router, "gpt-4o-router")
    first = deployed(router, "gpt-4o-mini")
    second = deployed(router, "gpt-4o-mini", api_base=upstreams["gpt-4o"].url)
    second.model_info.id = "second"
    router.upsert_deployment(second)
    if how == "deleted":
        router.delete_deployment(id=str(first.model_info.id))
    else:
        first.model_info.blocked = True
        router.upsert_deployment(first)
    for _ in range(5):
        await call(router, "gpt-4o-router")
    assert asked(upstreams) == {"gpt-4o": expected * 5, "gpt-4o-mini": expected}


async def test_they_go_nowhere_once_both_groups_are_gone(
    router: Router, upstreams: dict[str, OtherEndpoints]
) -> None:
    for name in upstreams:
        router.delete_deployment(id=str(deployed(router, name).model_info.id))
    with pytest.raises(openai.APIConnectionError):
        await CALLS["upload"][0](router, "gpt-4o-router")
    assert asked(upstreams) == {"gpt-4o": [], "gpt-4o-mini": []}


@pytest.mark.parametrize("case", ["create", "cancel", "upload"])
async def test_the_entry_of_an_alias_with_a_mistake_gets_none(
    router: Router, upstreams: dict[str, OtherEndpoints], case: str
) -> None:
    (entry,) = router.get_model_list("gpt-4o-router") or []
    entry["model_info"]["routellm"]["threshold"] = 6
    names = ("gpt-4o-router", entry["model_info"]["id"])
    for name in names if case != "upload" else names[:1]:
        with pytest.raises(BadRequestError, match="'gpt-4o-router': 'threshold' is 6"):
            await CALLS[case][0](router, name)
    assert asked(upstreams) == {"gpt-4o": [], "gpt-4o-mini": []}


async def test_what_a_callback_asks_after_a_batch_is_routed(
    router: Router, upstreams: dict[str, OtherEndpoints], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[asyncio.Task[Any]] = []
    batch_made = asyncio.Event()

    async def ask_later() -> Any:
        await batch_made.wait()
        return await router.acompletion("gpt-4o-router", user(HARD))

    async def send(*given: Any, **named: Any) -> Any:
        answers.append(asyncio.create_task(ask_later()))
        return await made(*given, **named)

    made = litellm.acreate_batch
    monkeypatch.setattr(litellm, "acreate_batch", send)
    await CALLS["create"][0](router, "gpt-4o-router")
    batch_made.set()
    (answer,) = await asyncio.gather(*answers)
    assert answer.model == "gpt-4o"


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("acreate_fine_tuning_job", {"training_file": "file-1"}),
        ("alist_fine_tuning_jobs", {}),
        ("avector_store_create", {"name": "store"}),
    ],
)
async def test_what_else_is_made_of_files_is_refused(
    router: Router, upstreams: dict[str, OtherEndpoints], call: str, given: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError, match=f"not {call}: name a model group instead"):
        await getattr(router, call)(model="gpt-4o-router", **given)
    assert asked(upstreams) == {"gpt-4o": [], "gpt-4o-mini": []}


@pytest.mark.parametrize("given", [{}, {"input_cost_per_token": 4e-6, "output_cost_per_token": 0}])
def test_a_batch_costs_what_it_does_at_the_entry(
    plugin: Callable[[object], object], given: dict[str, float]
) -> None:
    """As LiteLLM counts it when the batch is done, by the entry whose id that has."""

    def entry(name: str, **prices: float) -> dict[str, Any]:
        params = {"model": f"openai/{name}", "api_key": "unused", **prices}
        return {"model_name": name, "litellm_params": params}

    def cost(name: str) -> tuple[float, float]:
        (found,) = router.get_model_list(name) or []
        model = found["litellm_params"]["model"]
        prices = deployment_pricing_model_info(found["model_info"]["id"], model)
        used = litellm.Usage(prompt_tokens=1000, completion_tokens=500)
        return batch_cost_calculator(used, model, "openai", model_info=prices)

    plugin(routers)
    own = {"input_cost_per_token": 1.0, "input_cost_per_token_batches": 1.0}
    routed = alias("gpt-4o-router", router="length", threshold=0.6)
    routed["model_info"].update(own)
    router = Router(model_list=[entry("gpt-4o"), entry("gpt-4o-mini", **given), routed])
    install(router)
    assert cost("gpt-4o-router") == pytest.approx(cost("gpt-4o-mini"))
    assert sum(cost("gpt-4o-mini")) > 0
    assert cost("gpt-4o") != cost("gpt-4o-mini")
    router.discard()


@pytest.mark.parametrize("case", [*CALLS, "completion", "response"])
async def test_a_placeholder_that_nobody_fills_leads_nowhere(
    upstreams: dict[str, OtherEndpoints], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the callback is missing, or LiteLLM reads a copy that it made of the entry."""
    for variable in ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, upstreams["gpt-4o"].url)
    router = Router(model_list=[alias("gpt-4o-router"), alias("router-*")], num_retries=0)
    calls: dict[str, Call] = {
        **{name: call for name, (call, _) in CALLS.items()},
        "completion": lambda router, name: router.acompletion(name, user(HARD)),
        "response": lambda router, name: router.aresponses(model=name, input=HARD),
    }
    for name in ("gpt-4o-router", "router-length-0.6"):
        with pytest.raises(Exception, match=r"protocol|Connection error|never-called"):
            await calls[case](router, name)
    assert asked(upstreams) == {"gpt-4o": [], "gpt-4o-mini": []}
    router.discard()
