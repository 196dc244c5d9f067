"""ChatRouteLLM and the models behind it: tools, structured output, wrappers, fields, mistakes."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import RunnableBinding
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from routellm_core import CheckpointError, ConfigError, MissingExtraError
from routellm_plugins.langchain import ChatRouteLLM
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.clients import client

# Of the OpenAI client, also without routing.
pytestmark = [
    pytest.mark.usefixtures("fresh"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

LENGTH: dict[str, Any] = {"router": "length", "threshold": 0.8}


class City(BaseModel):
    """A city."""

    name: str


@tool
def search(query: str) -> str:
    """Search."""
    return query


@tool
def calculate(formula: str) -> str:
    """Calculate."""
    return formula


@pytest.fixture
def models(strong: Upstream, weak: Upstream) -> tuple[ChatOpenAI, ChatOpenAI]:
    return client(strong), client(weak)


@pytest.fixture
def llm(models: tuple[ChatOpenAI, ChatOpenAI]) -> ChatRouteLLM:
    return ChatRouteLLM(*models, **LENGTH)


def tier_of(message: Any) -> str:
    tier: str = message.response_metadata["routellm"]["tier"]
    return tier


WRAPPERS: dict[str, Callable[[ChatOpenAI], Any]] = {
    "bare": lambda model: model,
    "bind": lambda model: model.bind(seed=7),
    "with_config": lambda model: model.with_config(tags=["mine"]),
    "with_retry": lambda model: model.with_retry(stop_after_attempt=2),
    "with_fallbacks": lambda model: model.with_fallbacks([model]),
    "nested": lambda model: model.bind(seed=7).with_retry().with_config(tags=["mine"]),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_the_models_may_be_wrapped(models, strong, weak, wrap):
    llm = ChatRouteLLM(*map(wrap, models), **LENGTH)
    tools = llm.bind_tools([search])
    for text, upstream, tier in ((EASY, weak, "weak"), (HARD, strong, "strong")):
        assert tier_of(llm.invoke(text)) == tier
        message = tools.invoke(text)
        assert (tier_of(message), message.tool_calls[0]["name"]) == (tier, "search")
        assert llm.with_structured_output(City).invoke(text) == City(name="example")
        assert tier_of(llm.generate([[("human", text)]]).generations[0][0].message) == tier
        for request in upstream.requests:
            assert request.get("seed") == (7 if "seed" in str(wrap(models[0])) else None)


def test_tools_are_told_in_each_providers_own_form():
    class Eccentric(FakeListChatModel):
        form: str

        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(stop=[f"{self.form}: {tools[0].name} {kwargs['tool_choice']}"])

        def _call(self, messages: Any, stop: Any = None, **kwargs: Any) -> str:
            return stop[0]

    models = [Eccentric(responses=["unused"], form=form) for form in ("large", "small")]
    bound = ChatRouteLLM(*models, **LENGTH).bind_tools([search], tool_choice="any")
    assert isinstance(bound, RunnableBinding)
    assert bound.invoke(HARD).text == "large: search any"
    assert bound.invoke(EASY).text == "small: search any"


def test_tools_bound_anew_replace_those_before(llm, weak):
    llm.bind_tools([search]).bind_tools([calculate]).invoke(EASY)
    (request,) = weak.requests
    assert [each["function"]["name"] for each in request["tools"]] == ["calculate"]


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("include_raw", [False, True])
async def test_structured_output_is_routed(llm, strong, weak, method, include_raw):
    structured = llm.with_structured_output(City, method=method, include_raw=include_raw)
    for text, tier in ((EASY, "weak"), (HARD, "strong")):
        whole: dict[str, Any] = {}
        for chunk in structured.stream(text):
            whole |= chunk if include_raw else {"parsed": chunk}
        assert whole["parsed"] == City(name="example")
        for output in (
            structured.invoke(text),
            await structured.ainvoke(text),
            *structured.batch([text, text]),
        ):
            if include_raw:
                assert tier_of(output["raw"]) == tier
                output = output["parsed"]
            assert output == City(name="example")
    assert len(strong.requests) == len(weak.requests) == 5
    assert tier_of(llm.invoke(EASY)) == "weak"


def test_structured_output_has_the_types_of_the_models_own(llm, strong):
    for include_raw in (False, True):
        routed, bare = (
            model.with_structured_output(City, include_raw=include_raw)
            for model in (llm, client(strong))
        )
        assert (routed.InputType, routed.OutputType) == (bare.InputType, bare.OutputType)


def test_structured_output_can_be_routed_otherwise(llm, strong):
    structured = llm.with_structured_output(City, include_raw=True)
    assert tier_of(structured.invoke(EASY, threshold=0.1)["raw"]) == "strong"
    config = {"configurable": {"routellm_threshold": 0.1}}
    assert tier_of(structured.invoke(EASY, config)["raw"]) == "strong"


@pytest.mark.filterwarnings("ignore:.*is in beta")
async def test_typed_streams(llm):
    if not hasattr(ChatOpenAI, "stream_events"):
        pytest.skip("this langchain-core has no typed streams")
    assert "gpt-4o-mini here" in str(llm.stream_events(EASY, version="v3").text)
    stream = await llm.astream_events(HARD, version="v3")
    assert "gpt-4o here" in (await stream.output).text


@pytest.mark.filterwarnings("ignore:astream_events version='v1'")
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_streamed_events_are_those_of_the_model_that_answers(llm, models, version):
    async def events(model: Any) -> list[tuple[str, str]]:
        streamed = model.astream_events(EASY, version=version)
        # The deprecated v1 calls the outermost run by the name of what was called.
        return [(e["event"], e["name"] if version == "v2" else "") async for e in streamed]

    routed, bare = await events(llm), await events(models[1])
    assert routed == bare
    assert bare


def test_fallbacks_around_it(llm, models, strong):
    strong.failing_with = 500
    safe = llm.with_fallbacks([models[1]])
    assert safe.invoke(HARD).text.startswith("gpt-4o-mini here")
    assert safe.bind_tools([search]).invoke(HARD).tool_calls
    assert safe.with_structured_output(City).invoke(HARD) == City(name="example")
    assert tier_of(safe.invoke(EASY)) == "weak"


def test_fallbacks_inside_it(models, strong):
    strong.failing_with = 500
    llm = ChatRouteLLM(models[0].with_fallbacks([models[1]]), models[1], **LENGTH)
    message = llm.invoke(HARD)
    assert message.text.startswith("gpt-4o-mini here")
    assert tier_of(message) == "strong"


def test_retries(models, strong):
    llm = ChatRouteLLM(models[0].with_retry(wait_exponential_jitter=False), models[1], **LENGTH)
    strong.failing_with = 500
    with pytest.raises(Exception, match="fails on purpose"):
        llm.invoke(HARD)
    assert len(strong.requests) == 3


def test_listeners_inside_it_hear_every_call(models):
    heard: list[Any] = []
    weak = models[1].with_listeners(on_end=heard.append)
    llm = ChatRouteLLM(models[0], weak, **LENGTH)
    llm.invoke(EASY)
    llm.generate([[HumanMessage(EASY)]])
    assert len(heard) == 2


def test_standard_parameters_reach_both_models(models, strong, weak):
    wrapped = (models[0].with_fallbacks([models[1]]), models[1].bind(seed=7))
    llm = ChatRouteLLM(*wrapped, temperature=0.3, max_tokens=9, stop=["END"], **LENGTH)
    for text, upstream in ((EASY, weak), (HARD, strong)):
        llm.invoke(text)
        llm.with_structured_output(City, include_raw=True).invoke(text)
        for request in upstream.requests:
            assert request["temperature"] == 0.3
            assert request["max_completion_tokens"] == 9
            assert request["stop"] == ["END"]
    assert models[0].temperature is None


def test_standard_parameters_reach_fallbacks(models, strong, weak):
    strong.failing_with = 500
    llm = ChatRouteLLM(models[0].with_fallbacks([models[1]]), models[1], temperature=0.3, **LENGTH)
    llm.invoke(HARD)
    assert weak.requests[0]["temperature"] == 0.3


def test_what_langchain_does_inside_the_model_is_done_there(models, weak):
    limiter = InMemoryRateLimiter(requests_per_second=1000)
    acquired = []
    limiter.acquire = lambda **kwargs: acquired.append(1) or True  # type: ignore[method-assign]
    llm = ChatRouteLLM(
        *models, rate_limiter=limiter, cache=InMemoryCache(), disable_streaming=True, **LENGTH
    )
    assert len(list(llm.stream(EASY))) == 1
    assert not weak.requests[0].get("stream")
    llm.invoke(EASY)
    assert len(weak.requests) == 1
    assert acquired == [1]


def test_the_profile_is_what_both_can_do(models):
    strong, weak = (
        model.model_copy(update={"profile": profile})
        for model, profile in zip(
            models,
            (
                {"tool_calling": True, "image_inputs": True, "max_input_tokens": 128000},
                {"tool_calling": True, "image_inputs": False, "max_input_tokens": 16000},
            ),
            strict=True,
        )
    )
    llm = ChatRouteLLM(strong.with_retry(), weak, **LENGTH)
    if not hasattr(BaseChatModel, "_resolve_model_profile"):
        pytest.skip("this langchain-core leaves profiles to each model")
    assert llm.profile == {"tool_calling": True, "image_inputs": False, "max_input_tokens": 16000}


def test_tokens_are_counted_by_the_strong_model(models):
    llm = ChatRouteLLM(*models, custom_get_token_ids=lambda text: [7] * len(text), **LENGTH)
    assert llm.get_num_tokens("four") == 4
    models[0].custom_get_token_ids = lambda text: [1, 2]
    assert ChatRouteLLM(*models, **LENGTH).get_token_ids("four") == [1, 2]


def test_tokens_of_messages_are_counted_by_the_strong_model():
    strong = FakeListChatModel(responses=["a"], custom_get_token_ids=lambda text: [1] * len(text))
    llm = ChatRouteLLM(strong.bind(), FakeListChatModel(responses=["b"]), **LENGTH)
    messages = [HumanMessage("four")]
    counted = llm.get_num_tokens_from_messages(messages)
    assert counted == strong.get_num_tokens_from_messages(messages) > 4


def test_a_copy_routes_like_the_original():
    models = [FakeListChatModel(responses=[name]) for name in ("large", "small")]
    llm = ChatRouteLLM(*models, **LENGTH)
    for twin in (copy.deepcopy(llm), pickle.loads(pickle.dumps(llm)), llm.model_copy()):
        assert [twin.invoke(text).text for text in (EASY, HARD)] == ["small", "large"]
    assert llm.model_copy(update={"threshold": 0.1}).invoke(EASY).text == "large"


def test_three_models(models):
    small = FakeListChatModel(responses=["small"])
    low = ChatRouteLLM(models[1], small, router="length", threshold=0.4)
    llm = ChatRouteLLM(models[0], low, **LENGTH)
    texts = [llm.invoke(text).text for text in ("Hi", EASY, HARD)]
    assert texts[0] == "small"
    assert [text.split()[0] for text in texts[1:]] == ["gpt-4o-mini", "gpt-4o"]


def test_models_can_be_named(monkeypatch, strong):
    pytest.importorskip("langchain")
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_BASE_URL", strong.url)
    llm = ChatRouteLLM("openai:gpt-4o", weak="openai:gpt-4o-mini", **LENGTH)
    llm.invoke(EASY)
    assert strong.requests[-1]["model"] == "gpt-4o-mini"


def test_a_model_configured_at_run_time(monkeypatch, models, strong):
    chat_models = pytest.importorskip("langchain.chat_models")
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_BASE_URL", strong.url)
    configurable = chat_models.init_chat_model(
        "openai:gpt-4o", configurable_fields=("temperature",)
    )
    llm = ChatRouteLLM(configurable, models[1], **LENGTH)
    config = {"configurable": {"temperature": 0.5}}
    assert tier_of(llm.bind_tools([search]).invoke(HARD, config)) == "strong"
    assert strong.requests[-1]["temperature"] == 0.5
    assert strong.requests[-1]["tools"]


def test_a_name_needs_langchain(monkeypatch, models):
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(MissingExtraError, match=r'pip install "routellm-plugins\[langchain-agents'):
        ChatRouteLLM("openai:gpt-4o", models[1], **LENGTH)


@pytest.mark.parametrize(
    ("name", "module", "package", "extra"),
    [
        ("ChatRouteLLM", "chat_model", "langchain_core", "langchain"),
        ("RouteLLMMiddleware", "middleware", "langchain", "langchain-agents"),
    ],
)
def test_a_missing_package_names_the_extra(monkeypatch, name, module, package, extra):
    import routellm_plugins.langchain as adapter

    def missing(*args: Any) -> Any:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(adapter, "import_module", missing)
    with pytest.raises(MissingExtraError, match=rf'pip install "routellm-plugins\[{extra}\]"'):
        getattr(adapter, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"treshold": 0.1}, "unknown argument 'treshold': did you mean 'threshold'?"),
        ({"timeout": 60}, r"'timeout' is for the models: .*init_chat_model\(.*timeout=\.\.\.\)"),
        ({"model": "router-mf-0.1"}, "'model' names one model, but two are needed: write strong="),
        ({"weak": " "}, "'weak' is an empty name: write one such as 'openai:gpt-4o'"),
        ({"threshold": 2}, "'threshold' is 2: input should be less than or equal to 1"),
        ({"strong_share": 0.3}, "both 'threshold' and 'strong_share' are set: keep one of them"),
        ({"threshold": None}, r"write strong_share: 0\.3"),
        ({"router": "lenght"}, "no router named 'lenght': did you mean 'length'"),
        ({"router_options": {"size": 1}}, "router 'length' has no option 'size'"),
        ({"sticky": "always"}, "'sticky' is 'always': input should be 'turn' or 'conversation'"),
        ({"strong": StrOutputParser()}, "'strong' is a StrOutputParser, which is not a chat model"),
        ({"weak": ChatOpenAI}, "'weak' is the class ChatOpenAI, which is not a chat model"),
        ({"weak": FakeListChatModel(responses=[]), "max_tokens": 3}, "has no 'max_tokens'"),
    ],
)
def test_mistakes_say_what_to_write(models, arguments, message):
    settings = {"strong": models[0], "weak": models[1], **LENGTH, **arguments}
    with pytest.raises(ConfigError, match=message) as caught:
        ChatRouteLLM(**settings)
    assert "\n" not in str(caught.value)


def test_the_pair_is_checked(models, caplog):
    ChatRouteLLM(*reversed(models), **LENGTH)
    assert "'strong' ('gpt-4o-mini') is a smaller version of 'weak' ('gpt-4o')" in caplog.text
    with pytest.raises(ConfigError, match="the same model 'gpt-4o': name two models"):
        ChatRouteLLM(models[0], models[0], **LENGTH)


def test_weights_that_are_missing_are_told_at_once(models, tmp_path):
    with pytest.raises(CheckpointError):
        ChatRouteLLM(*models, threshold=0.5, router_options={"checkpoint": str(tmp_path / "none")})


@pytest.mark.parametrize("method", ["bind_tools", "with_structured_output"])
def test_a_model_without_tools_is_named(models, method):
    llm = ChatRouteLLM(models[0], FakeListChatModel(responses=["a"]).bind(), **LENGTH)
    with pytest.raises(NotImplementedError, match="the weak model a FakeListChatModel has no"):
        getattr(llm, method)([search] if method == "bind_tools" else City)
