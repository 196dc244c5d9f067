"""A litellm.Router that an application builds itself, and what keeps the strategy harmless."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from litellm import BadRequestError, Router

from routellm_core import ConfigError, Decision, hookimpl, route_on
from routellm_plugins.litellm import install
from routellm_plugins.litellm.config.routes import Routes
from routellm_plugins.litellm.proxy import RouteLLMProxyHandler
from routellm_plugins.litellm.reporting import routed_request
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD, LengthRouter
from tests.litellm.configs import alias, group

pytestmark = [
    # LiteLLM's own, about its TypedDicts.
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    # What the tests themselves call; the adapter keeps to members that are not deprecated.
    pytest.mark.filterwarnings(
        "ignore:Router.(add_deployment|discard|get_model_list|model_group_alias|model_list|"
        "update_settings) is deprecated"
    ),
]
SPLIT = pytest.mark.parametrize(
    ("prompt", "model"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")], ids=["easy", "hard"]
)


@pytest.fixture(autouse=True)
def _fake_routers(plugin: Any) -> None:
    plugin(routers)


@pytest.fixture
def model_list(strong: Upstream, weak: Upstream) -> list[dict[str, Any]]:
    return [
        group("gpt-4o", strong),
        group("gpt-4o-mini", weak),
        alias("gpt-4o-router", router="length", threshold=0.6),
    ]


@pytest.fixture
def router(model_list: list[dict[str, Any]]) -> Iterator[Router]:
    router = Router(model_list=model_list, num_retries=0)
    install(router)
    yield router
    router.discard()


@pytest.fixture
def seen(plugin: Callable[[object], object]) -> list[Decision]:
    """Every decision, as an observer sees it."""
    decisions: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: decisions.append(decision))))
    return decisions


def user(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt}]


def answered_by(answer: Any) -> str:
    return (answer.choices[0].message.content or "").split(" ")[0]


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


async def test_a_routed_entry_is_never_called_itself(router: Router) -> None:
    (entry,) = router.get_model_list("gpt-4o-router") or []
    with pytest.raises(BadRequestError, match="leads to a routed alias"):
        await router.acompletion(entry["model_info"]["id"], user(EASY))


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


@pytest.fixture
def sticky(model_list: list[dict[str, Any]]) -> Iterator[Router]:
    entry = alias("sticky", router="length", threshold=0.6, sticky="conversation")
    other = alias("other", router="length", threshold=0.6, sticky="conversation")
    router = Router(model_list=[*model_list, entry, other], num_retries=0)
    install(router)
    yield router
    router.discard()


def conversation(*texts: str) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": "You help."}]
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return messages[:-1]


async def test_a_conversation_stays_on_the_strong_model(
    sticky: Router, seen: list[Decision]
) -> None:
    for turns in (1, 2, 3):
        texts = ("Sticky?", HARD, EASY)[:turns]
        await sticky.acompletion("sticky", conversation(*texts))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    others = ({"tools": [tool]}, {"user": "another"}, {"metadata": {"user_api_key_hash": "1"}})
    for other in others:
        await sticky.acompletion("sticky", conversation("Sticky?", HARD, EASY), **other)
    await sticky.acompletion("other", conversation("Sticky?", HARD, EASY))
    causes = [(decision.tier, decision.cause) for decision in seen]
    assert causes[:3] == [("weak", "score"), ("strong", "score"), ("strong", "conversation")]
    assert causes[3:] == [("weak", "score")] * 4


@pytest.mark.parametrize("where", ["litellm_session_id", "metadata"])
async def test_a_session_id_names_the_conversation(
    sticky: Router, seen: list[Decision], where: str
) -> None:
    def session(name: str) -> dict[str, Any]:
        return {where: {"session_id": name} if where == "metadata" else name}

    await sticky.acompletion("sticky", user(HARD), **session(f"one {where}"))
    await sticky.acompletion("sticky", user(EASY), **session(f"one {where}"))
    await sticky.acompletion("sticky", user(EASY), **session(f"two {where}"))
    assert [decision.cause for decision in seen] == ["score", "conversation", "score"]
    assert [decision.tier for decision in seen] == ["strong", "strong", "weak"]


async def test_a_session_id_that_litellm_made_up_does_not_count(
    sticky: Router, seen: list[Decision]
) -> None:
    for number, texts in enumerate([("Made up?", HARD), ("Made up?", HARD, EASY)]):
        metadata = {"session_id": str(number), "litellm_session_id_generated": True}
        await sticky.acompletion(
            "sticky", conversation(*texts), metadata=metadata, litellm_session_id=str(number)
        )
    assert [decision.cause for decision in seen] == ["score", "conversation"]


async def test_the_responses_api_has_conversations_too(
    sticky: Router, seen: list[Decision]
) -> None:
    first = [*user("Responses?"), {"role": "assistant", "content": "Yes."}, *user(HARD)]
    later = [*first, {"role": "assistant", "content": "Yes."}, *user(EASY)]
    for given in (first, later):
        await sticky.aresponses(model="sticky", input=given, instructions="Be brief.")
    await sticky.aresponses(model="sticky", input=later, instructions="Be long.")
    assert [decision.cause for decision in seen] == ["score", "conversation", "score"]


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


@pytest.fixture
def proxy_server(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    server = SimpleNamespace(llm_router=None)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
    return server


@pytest.mark.parametrize("bucket", ["metadata", "litellm_metadata"])
async def test_the_handler_drops_what_a_client_wrote_in_place_of_a_decision(bucket: str) -> None:
    forged = {"routellm": {"tier": "strong"}, "routing_decision": {"router_type": "routellm"}}
    data = {"model": "gpt-4o", bucket: {**forged, "team": "blue"}}
    await RouteLLMProxyHandler().async_pre_call_hook(None, None, data, "acompletion")
    assert data[bucket] == {"team": "blue"}


async def test_the_handler_installs_the_strategy_again_when_it_is_reset(
    proxy_server: SimpleNamespace, model_list: list[dict[str, Any]]
) -> None:
    handler = RouteLLMProxyHandler()

    async def ask(prompt: str) -> str:
        data = {"model": "gpt-4o-router", "messages": user(prompt)}
        await handler.async_pre_call_hook(None, None, data, "acompletion")
        return answered_by(await router.acompletion(**data))

    await handler.async_pre_call_hook(None, None, {"model": "gpt-4o-router"}, "acompletion")
    for _ in range(2):
        router = Router(model_list=model_list)
        proxy_server.llm_router = router
        assert await ask(HARD) == "gpt-4o"
        router.update_settings(routing_strategy="latency-based-routing")
        assert await ask(HARD) == "gpt-4o"
        assert await ask(EASY) == "gpt-4o-mini"
        router.discard()


async def test_the_handler_installs_the_strategy_before_any_request(
    proxy_server: SimpleNamespace, model_list: list[dict[str, Any]]
) -> None:
    RouteLLMProxyHandler().install_at_start()
    await asyncio.sleep(0.05)
    router = proxy_server.llm_router = Router(model_list=model_list)
    await asyncio.sleep(0.3)
    assert answered_by(await router.acompletion("gpt-4o-router", user(HARD))) == "gpt-4o"
    router.discard()


async def test_a_litellm_that_is_not_known_serves_all_but_the_alias(
    proxy_server: SimpleNamespace,
    model_list: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access = "routellm_plugins.litellm.groups.router_access"
    monkeypatch.setattr(f"{access}._ASYNC_SELECTORS", ())
    monkeypatch.setattr(f"{access}.RustCore.is_one", lambda core: False)
    proxy_server.llm_router = Router(model_list=model_list)
    handler = RouteLLMProxyHandler()
    for _ in range(2):
        await handler.async_pre_call_hook(None, None, {"model": "gpt-4o"}, "acompletion")
        with pytest.raises(BadRequestError, match="install another version of litellm"):
            await handler.async_pre_call_hook(None, None, {"model": "gpt-4o-router"}, "acompletion")
    assert caplog.text.count("install another version of litellm") == 1
    proxy_server.llm_router.discard()


def test_headers_hold_no_characters_that_http_forbids() -> None:
    decision = Decision("weak", 1 / 3, 0.5, "mf", "score", 0.25)
    headers = routed_request.RoutedRequest("alias", "gpt-4ö\r\nx: y", decision, 0).headers()
    assert headers["x-routellm-model"] == "gpt-4%C3%B6%0D%0Ax: y"
    assert headers["x-routellm-score"] == "0.333333"
    assert headers["x-routellm-duration-ms"] == "0.25"
