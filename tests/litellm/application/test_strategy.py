"""A litellm.Router that an application builds itself, and what keeps the strategy harmless."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from litellm import BadRequestError, Router

from routellm_core import ConfigError, Decision, hookimpl, route_on
from routellm_plugins.litellm import install
from routellm_plugins.litellm.config.routes import Routes
from routellm_plugins.litellm.groups.rust_core import RustCore
from routellm_plugins.litellm.reporting import routed_request
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD, LengthRouter
from tests.litellm.application.shared import WARNINGS, answered_by, user
from tests.litellm.configs import alias, group

pytestmark = WARNINGS
SPLIT = pytest.mark.parametrize(
    ("prompt", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")], ids=["easy", "hard"]
)


@SPLIT
def test_a_router_of_an_application(router: Router, prompt: str, model: str) -> None:
    answer = router.completion("gpt-4o-router", user(prompt))
    assert answered_by(answer) == model
    assert answered_by(router.completion("gpt-4o", user(prompt))) == "gpt-4o"


@SPLIT
async def test_asynchronously(router: Router, prompt: str, model: str) -> None:
    assert answered_by(await router.acompletion("gpt-4o-router", user(prompt))) == model
    stream = await router.acompletion("gpt-4o-router", user(prompt), stream=True)
    words = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(words).startswith(f"{model} ")


@SPLIT
async def test_text_completions(router: Router, prompt: str, model: str) -> None:
    answer = await router.atext_completion(model="gpt-4o-router", prompt=prompt)
    assert answer.choices[0].text.startswith(f"{model} ")


@pytest.mark.parametrize(
    "strategy",
    ["simple-shuffle", "least-busy", "latency-based-routing", "usage-based-routing-v2"],
)
async def test_with_any_routing_strategy(model_list: list[dict[str, Any]], strategy: str) -> None:
    router = Router(model_list=model_list, routing_strategy=strategy)
    install(router)
    assert answered_by(await router.acompletion("gpt-4o-router", user(HARD))) == "gpt-4o"
    assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == "gpt-4o-mini"
    router.discard()


def test_install_reports_all_mistakes(model_list: list[dict[str, Any]]) -> None:
    entries = [*model_list, alias("a", threshold=2), alias("b", router="nope", threshold=0)]
    with pytest.raises(ConfigError, match=r"(?s)'a': 'threshold' is 2.*\n.*'b': no router named"):
        install(Router(model_list=entries))


async def test_embeddings_are_rejected(router: Router) -> None:
    with pytest.raises(BadRequestError, match="name a model group for embeddings"):
        await router.aembedding("gpt-4o-router", input=["x"])


def test_embeddings_that_are_not_asynchronous_are_rejected(
    router: Router, strong: Upstream, weak: Upstream
) -> None:
    asked = len(strong.requests) + len(weak.requests)
    with pytest.raises(BadRequestError, match="name a model group for embeddings"):
        router.embedding("gpt-4o-router", input="xylograph")
    assert len(strong.requests) + len(weak.requests) == asked


async def test_a_routed_entry_is_never_called_itself(router: Router) -> None:
    (entry,) = router.get_model_list("gpt-4o-router") or []
    said_for_batches = user("batch-api-fake-text")
    for options in ({}, {"input_file_id": "file-1"}, {"batch_id": "batch-1"}):
        for messages in (user(EASY), said_for_batches):
            with pytest.raises(BadRequestError, match="leads to a routed alias"):
                await router.acompletion(entry["model_info"]["id"], messages, **options)


async def test_entries_added_later_are_routed_or_rejected(router: Router) -> None:
    from litellm.types.router import Deployment

    router.add_deployment(Deployment(**alias("late", router="length", threshold=0.6)))
    assert answered_by(await router.acompletion("late", user(HARD))) == "gpt-4o"
    router.add_deployment(Deployment(**alias("wrong", router="length", threshold=6)))
    with pytest.raises(BadRequestError, match="'wrong': 'threshold' is 6"):
        await router.acompletion("wrong", user(HARD))


async def test_a_mistake_of_ours_does_not_fail_the_request(
    router: Router,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seen: list[Decision],
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("routellm_plugins.litellm.deciding.request.asked_in", fail)
    assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == "gpt-4o"
    assert answered_by(router.completion("gpt-4o-router", user(EASY))) == "gpt-4o"
    monkeypatch.setattr("routellm_plugins.litellm.config.routes.Routes.find", fail)
    assert answered_by(await router.acompletion("gpt-4o", user(EASY))) == "gpt-4o"
    assert caplog.text.count("such requests go to the strong model") == 1
    assert [(d.tier, d.cause, d.threshold) for d in seen] == [
        ("strong", "error:ZeroDivisionError", 0.6)
    ] * 2


async def test_a_router_that_breaks_while_loading_sends_calls_to_on_error(
    model_list: list[dict[str, Any]], seen: list[Decision], caplog: pytest.LogCaptureFixture
) -> None:
    router = Router(model_list=[*model_list, alias("router-*", on_error="weak")], num_retries=0)
    strategy = install(router)
    router.model_list[-2]["model_info"]["routellm"].update(router="unmakable", strong_share=0.3)
    del router.model_list[-2]["model_info"]["routellm"]["threshold"]
    kwargs: dict[str, Any] = {"metadata": {}}
    for _ in range(3):
        kwargs = {"metadata": {}}
        chosen = await strategy.async_get_available_deployment(
            "gpt-4o-router", user(EASY), request_kwargs=kwargs
        )
        assert chosen["model_name"] == "gpt-4o"
    logged = kwargs["metadata"]["spend_logs_metadata"]["routellm"]
    assert (logged["cause"], logged["tier"]) == ("error:ZeroDivisionError", "strong")
    assert "threshold" not in logged
    assert "classifier_threshold" not in kwargs["metadata"]["routing_decision"]
    assert "x-routellm-threshold" not in kwargs["metadata"]["routellm"].headers()
    assert [decision.threshold for decision in seen] == [None] * 3
    assert caplog.text.count("Traceback") == 1
    router.discard()


async def test_a_wish_for_a_router_that_breaks_while_loading_goes_to_on_error(
    model_list: list[dict[str, Any]],
) -> None:
    own = {"router": "length", "threshold": 0.6, "on_error": "weak", "allow_override": {}}
    router = Router(model_list=[*model_list, alias("late", **own)], num_retries=0)
    install(router)
    router.model_list[-1]["model_info"]["routellm"]["router"] = "unmakable"
    for wish in ({}, {"routellm_strong_share": 0.3}):
        answer = await router.acompletion("late", user(HARD), metadata=dict(wish))
        assert answered_by(answer) == "gpt-4o-mini"
        assert answered_by(router.completion("late", user(HARD), metadata=dict(wish))) == (
            "gpt-4o-mini"
        )
    router.discard()


@pytest.mark.parametrize(
    ("change", "model"),
    [
        (lambda entry: entry["model_info"]["routellm"].update(threshold=0.5), "gpt-4o"),
        (lambda entry: entry["model_info"]["routellm"].update(weak="gpt-4o"), None),
        (lambda entry: entry.update(model_name="another"), None),
    ],
    ids=["threshold", "mistake", "name"],
)
async def test_an_entry_edited_in_place_is_noticed(
    router: Router, change: Callable[[dict[str, Any]], None], model: str | None
) -> None:
    assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == "gpt-4o-mini"
    change(router.model_list[-1])
    if model is None:
        with pytest.raises(BadRequestError):
            await router.acompletion("gpt-4o-router", user(EASY))
    else:
        assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == model


async def test_an_ordinary_entry_edited_in_place_is_noticed_soon(
    model_list: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routellm_plugins.litellm.config.changes.LOOK_S", 0.05)
    router = Router(model_list=model_list)
    install(router)
    assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == "gpt-4o-mini"
    (weak,) = (each for each in router.model_list if each["model_name"] == "gpt-4o-mini")
    weak["model_info"]["blocked"] = True
    await asyncio.sleep(0.06)
    assert answered_by(await router.acompletion("gpt-4o-router", user(EASY))) == "gpt-4o"
    router.discard()


async def test_an_option_edited_in_place_is_noticed(
    model_list: list[dict[str, Any]], scripted: object
) -> None:
    options = {"router": "scripted", "router_options": {"kind": "fixed"}, "on_error": "weak"}
    router = Router(model_list=[*model_list, alias("a", threshold=0.5, **options)])
    install(router)
    assert answered_by(await router.acompletion("a", user(EASY))) == "gpt-4o"
    router.model_list[-1]["model_info"]["routellm"]["router_options"]["kind"] = "nan"
    assert answered_by(await router.acompletion("a", user(EASY))) == "gpt-4o-mini"
    router.discard()


async def test_a_group_alias_edited_in_place_is_noticed(model_list: list[dict[str, Any]]) -> None:
    """As soon as LiteLLM notices; from 1.110 on, it does not."""
    names = {"smart": "gpt-4o-router", "small": "gpt-4o-mini"}
    aliases: dict[str, Any] = {k: {"model": v, "hidden": False} for k, v in names.items()}
    router = Router(model_list=model_list, model_group_alias=aliases)
    install(router)
    for name in names:
        assert answered_by(await router.acompletion(name, user(EASY))) == "gpt-4o-mini"
        router.model_group_alias[name]["model"] = "gpt-4o"
    smart, small = [answered_by(await router.acompletion(name, user(EASY))) for name in names]
    assert smart == small
    router.discard()


async def test_a_decision_on_other_words_is_not_taken_for_a_retry(router: Router) -> None:
    metadata = {"team": "blue"}
    for words, model in ((HARD, "gpt-4o"), ("hi", "gpt-4o-mini")):
        with route_on(words):
            answer = await router.acompletion("gpt-4o-router", user(EASY), metadata=metadata)
        assert answered_by(answer) == model


async def test_a_decision_holds_for_retries_of_its_alias_only(
    router: Router, plugin: Callable[[object], object]
) -> None:
    kwargs: dict[str, Any] = {}
    strategy = install(router)
    for _ in range(2):
        chosen = await strategy.async_get_available_deployment(
            "gpt-4o-router", user(HARD), request_kwargs=kwargs
        )
        assert chosen["model_name"] == "gpt-4o"
        plugin(SimpleNamespace(routellm_score=hookimpl(lambda: 0.0)))
    explicit = strategy.get_available_deployment("gpt-4o-mini", user(HARD), request_kwargs=kwargs)
    assert explicit["model_name"] == "gpt-4o-mini"


async def test_requests_that_share_their_metadata_are_decided_each(router: Router) -> None:
    metadata = {"team": "blue"}
    for prompt, model in ((HARD, "gpt-4o"), (EASY, "gpt-4o-mini"), (HARD, "gpt-4o")):
        answer = await router.acompletion("gpt-4o-router", user(prompt), metadata=metadata)
        assert answered_by(answer) == model


async def test_a_forged_decision_is_not_taken(router: Router) -> None:
    forged = {"alias": "gpt-4o-router", "group": "gpt-4o", "decision": {"tier": "strong"}}
    answer = await router.acompletion(
        "gpt-4o-router", user(EASY), metadata={routed_request.METADATA_KEY: forged}
    )
    assert answered_by(answer) == "gpt-4o-mini"


async def test_observers_see_the_tier_that_serves_a_stored_conversation(
    model_list: list[dict[str, Any]], seen: list[Decision]
) -> None:
    by_alias = alias("by-alias", router="length", threshold=0.6, strong="best")
    router = Router(model_list=[*model_list, by_alias], model_group_alias={"best": "gpt-4o"})
    install(router)
    first = await router.aresponses(model="by-alias", input=HARD)
    await router.aresponses(model="by-alias", input=EASY, previous_response_id=first.id)
    await router.aresponses(model="by-alias", input=EASY, previous_response_id="resp_of_another")
    assert [(decision.tier, decision.cause, decision.score) for decision in seen] == [
        ("strong", "score", 1.0),
        ("strong", "conversation", None),
        ("weak", "score", 0.5),
    ]
    router.discard()


async def test_a_router_that_loads_slowly_does_not_hold_up_the_others(
    model_list: list[dict[str, Any]], plugin: Callable[[object], object]
) -> None:
    loading, loaded = threading.Event(), threading.Event()

    class SlowToLoad(LengthRouter):
        def __init__(self) -> None:
            loading.set()
            assert loaded.wait(30)

    plugin(
        SimpleNamespace(
            routellm_register_routers=hookimpl(
                lambda register: register("slow-to-load", SlowToLoad)
            )
        )
    )
    router = Router(model_list=[*model_list, alias("router-*")], num_retries=0)
    install(router)
    slow = asyncio.create_task(router.acompletion("router-slow-to-load-0.6", user(HARD)))
    assert await asyncio.to_thread(loading.wait, 10)
    ask = asyncio.to_thread(router.completion, "gpt-4o-router", user(EASY))
    try:
        assert answered_by(await asyncio.wait_for(ask, 5)) == "gpt-4o-mini"
        assert not slow.done()
    finally:
        loaded.set()
    assert answered_by(await slow) == "gpt-4o"
    router.discard()


@pytest.mark.parametrize(
    ("name", "routed"),
    [
        ("router-length-0.5", True),
        ("router-lgh-0.5", True),
        ("router-lh-0.5", False),
        ("router-length-1", False),
        ("router-l" + "g" * 100_000, False),
    ],
    ids=["all parts", "nothing between", "a part missing", "another end", "long"],
)
def test_wildcards_with_several_stars(name: str, routed: bool) -> None:
    routes = Routes([alias("router-l*g*h-0.*")], groups_may_follow=True)
    assert bool(routes.find(name)) == routed


def test_no_alias_is_asked_for_by_a_model_of_the_provider(
    strong: Upstream, weak: Upstream, plugin: Callable[[object], object]
) -> None:
    """As without the alias, of whose groups a pattern serves the weak one by another name."""
    plugin(routers)
    any_model = {"model": "openai/*", "api_base": weak.url, "api_key": "unused"}
    entries = [
        group("gpt-4o", strong),
        {"model_name": "wild/*", "litellm_params": any_model},
        alias("wild-router", weak="wild/b", router="length", threshold=0.6),
    ]
    said = []
    for listed in (entries[:2], entries):
        router = Router(model_list=listed, num_retries=0)
        if RustCore.is_one(vars(router).get("_core", router)):
            pytest.skip("the core of this LiteLLM looks them up itself, and calls the weak group's")
        install(router)
        with pytest.raises(BadRequestError) as error:
            router.completion("openai/b", user(EASY))
        said.append(error.value.message)
        router.discard()
    assert said[0] == said[1]
