"""What others see of a routed call: callbacks, traces, usage, streamed tokens, graphs."""

from __future__ import annotations

import asyncio
import gc
import operator
from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from pydantic import BaseModel

from routellm_plugins.langchain import ChatRouteLLM
from routellm_plugins.langchain.routed.generating import combined
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH
from tests.langchain.clients import client

pytestmark = pytest.mark.usefixtures("fresh")

PROMPT = ChatPromptTemplate([("system", "Be brief."), ("human", "{question}")])


class Events(BaseCallbackHandler):
    """Records each callback, without what differs from run to run."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.tokens: list[str] = []
        self.metadata: list[dict[str, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self._add("chain start", kwargs, getattr(inputs, "text", inputs))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self._add("chain end", kwargs, getattr(outputs, "text", outputs))

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.metadata.append(kwargs["metadata"])
        invocation = kwargs["invocation_params"], kwargs["options"], kwargs["name"]
        self._add("model start", kwargs, serialized, messages, invocation)

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.tokens.append(token)
        self._add("token", kwargs, token)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        (generation,) = response.generations[0]
        self._add("model end", kwargs, generation.text, generation.message.usage_metadata)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self._add("model error", kwargs, type(error))

    def _add(self, what: str, kwargs: dict[str, Any], *rest: Any) -> None:
        metadata = (kwargs.get("metadata") or {}).items()
        kept = {key: value for key, value in metadata if not key.startswith("routellm_")}
        outermost = kwargs.get("parent_run_id") is None
        self.seen.append((what, kwargs.get("tags"), outermost, kept, *rest))


class Trace(BaseTracer):
    """Keeps the trace of the last run."""

    root: Run

    def _persist_run(self, run: Run) -> None:
        self.root = run


@pytest.fixture
def llm(strong: Upstream, weak: Upstream) -> ChatRouteLLM:
    return routed(strong, weak)


def routed(strong: Upstream, weak: Upstream, **settings: Any) -> ChatRouteLLM:
    models = (client(upstream, stream_usage=True) for upstream in (strong, weak))
    return ChatRouteLLM(*models, **{"router": "length", "threshold": 0.8, **settings})


ASKED = PROMPT.invoke({"question": EASY})
RUNS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, config: model.invoke(ASKED, config),
    "stream": lambda model, config: list(model.stream(ASKED, config)),
    "batch": lambda model, config: model.batch([ASKED], config),
}
FORMS: dict[str, Callable[[Any], Any]] = {
    "model": lambda model: model,
    "chain": lambda model: RunnablePassthrough() | model | StrOutputParser(),
    "tools": lambda model: RunnablePassthrough() | model.bind_tools([search]),
    "structured": lambda model: model.with_structured_output(search),
    "retry": lambda model: model.with_retry(),
}


class City(BaseModel):
    """A city."""

    name: str


@tool
def search(query: str) -> str:
    """Search."""
    return query


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_swapped_model_changes_no_event(llm, weak, form, run):
    def events(model: Any) -> list[Any]:
        recorded = Events()
        config = {"callbacks": [recorded], "tags": ["b", "a"], "metadata": {"mine": 1}}
        run(form(model), config)
        return recorded.seen

    bare = events(client(weak, stream_usage=True))
    assert events(llm) == bare
    assert sum(event[0] == "model start" for event in bare) == 1


async def test_a_swapped_model_changes_no_event_in_async_code(llm, weak):
    async def events(model: Any) -> list[Any]:
        recorded = Events()
        chain = PROMPT | model | StrOutputParser()
        await chain.ainvoke({"question": EASY}, {"callbacks": [recorded]})
        async for _ in chain.astream({"question": EASY}, {"callbacks": [recorded]}):
            pass
        return recorded.seen

    assert await events(llm) == await events(client(weak, stream_usage=True))


def test_an_error_is_the_models_own(llm, weak):
    def outcome(model: Any) -> tuple[Any, ...]:
        recorded = Events()
        with pytest.raises(Exception, match="fails on purpose") as caught:
            model.invoke(EASY, {"callbacks": [recorded]})
        return caught.type, recorded.seen

    weak.failing_with = 500
    assert outcome(llm) == outcome(client(weak, stream_usage=True))


def test_usage_is_counted_once(llm, weak):
    def usage(model: Any) -> Any:
        handler = UsageMetadataCallbackHandler()
        model.invoke(EASY, {"callbacks": [handler]})
        list(model.stream(EASY, {"callbacks": [handler]}))
        return handler.usage_metadata

    assert usage(llm) == usage(client(weak, stream_usage=True))


def test_several_prompts_generate_one_result(llm, strong, weak):
    def used(model: Any, text: str) -> int:
        total: int = model.generate([[HumanMessage(text)]]).llm_output["token_usage"][
            "total_tokens"
        ]
        return total

    result = llm.generate([[HumanMessage(EASY)], [HumanMessage(HARD)]])
    models = [
        generation.message.response_metadata["model_name"] for (generation,) in result.generations
    ]
    assert models == ["gpt-4o-mini", "gpt-4o"]
    assert len(result.run) == 2
    expected = used(client(weak), EASY) + used(client(strong), HARD)
    assert result.llm_output["token_usage"]["total_tokens"] == expected
    run_id = uuid4()
    assert llm.generate([[HumanMessage(EASY)]], run_id=run_id).run[0].run_id == run_id


def test_several_prompts_of_one_model_tell_what_the_model_tells(llm, strong):
    prompts = [[HumanMessage(HARD)], [HumanMessage(f"{HARD}, again")]]
    outputs = [model.generate(prompts).llm_output for model in (llm, client(strong))]
    assert outputs[0] == outputs[1]


def test_generating_tells_what_it_is_told(strong, weak):
    def events(model: Any, tags: list[str]) -> Any:
        recorded = Events()
        told = {"tags": tags, "metadata": {"mine": 1}, "run_name": "named"}
        model.generate([[HumanMessage(EASY)]], callbacks=[recorded], **told)
        return recorded.seen

    bare = client(weak)
    llm = ChatRouteLLM(client(strong), bare.with_config(tags=["a"]), router="length", threshold=0.8)
    assert events(llm, ["b"]) == events(bare, ["a", "b"])


def test_token_usage_is_added_up_in_its_details_too():
    usage = {"total_tokens": 3, "details": {"cached": 2}, "tier": "default", "none": None}
    result = LLMResult(generations=[[]], llm_output={"token_usage": usage})
    whole = combined([result, LLMResult(generations=[[]]), result])
    assert whole.llm_output == {"token_usage": {"total_tokens": 6, "details": {"cached": 4}}}


def test_traces_show_the_model_and_the_decision(llm):
    trace = Trace()
    (PROMPT | llm).invoke({"question": HARD}, {"callbacks": [trace]})
    run = trace.root.child_runs[-1]
    metadata = run.extra["metadata"]
    assert (run.run_type, run.name) == ("llm", "ChatOpenAI")
    assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("openai", "gpt-4o")
    assert metadata["routellm_tier"] == "strong"
    assert metadata["routellm_score"] == 1.0
    assert metadata["routellm_threshold"] == 0.8
    assert metadata["routellm_router"] == "length"
    assert metadata["routellm_cause"] == "score"
    made = [value for key, value in metadata.items() if key.startswith("routellm_")]
    assert all(isinstance(value, (str, float)) for value in made)
    llm.invoke([SystemMessage(EASY)], {"callbacks": [trace]})
    metadata = trace.root.extra["metadata"]
    assert metadata["routellm_cause"] == "no_text"
    assert "routellm_score" not in metadata


@pytest.mark.filterwarnings("ignore:.*is in beta")
@pytest.mark.parametrize("form", ["model", "chain", "tools", "structured"])
def test_a_name_is_that_of_the_runs(strong, weak, form):
    mini = client(weak, stream_usage=True)
    for own, name in ((None, "planner"), ("mine", "mine")):
        models = client(strong, stream_usage=True), mini.model_copy(update={"name": own})
        events = Events(), Events()
        bare = mini.model_copy(update={"name": name})
        for model, seen in zip(
            (bare, ChatRouteLLM(*models, name="planner", **LENGTH)), events, strict=True
        ):
            FORMS[form](model).invoke(ASKED, {"callbacks": [seen]})
        assert events[1].seen == events[0].seen
        assert name in str(events[1].seen)


def test_typed_streams_leave_one_trace_with_the_decision(llm):
    if not hasattr(BaseChatModel, "stream_events"):
        pytest.skip("this langchain-core has no typed streams")
    recorded = Events()
    str(llm.stream_events(EASY, {"callbacks": [recorded]}, version="v3").text)
    (metadata,) = recorded.metadata
    assert metadata["routellm_tier"] == "weak"


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("form", [lambda model: model, lambda model: RunnablePassthrough() | model])
def test_callbacks_tags_and_metadata_of_the_model(strong, weak, form, run):
    def events(make: Callable[..., Any]) -> Any:
        own, given, both = Events(), Events(), Events()
        callbacks, metadata = [own, both], {"team": "a", "user": 0}
        model = make(callbacks=callbacks, tags=["router", "every"], metadata=metadata)
        config = {"callbacks": [given, both], "tags": ["every", "call"], "metadata": {"user": 1}}
        run(form(model), config)
        assert own.seen
        return own.seen, given.seen, both.seen

    def bare(**settings: Any) -> Any:
        return client(weak, stream_usage=True, **settings)

    assert events(lambda **settings: routed(strong, weak, **settings)) == events(bare)


def test_streams_that_an_event_loop_closes_at_its_end_log_nothing(llm, caplog):
    streams: dict[str, Callable[[], Any]] = {
        "model": lambda: llm.astream(EASY),
        "bound": lambda: llm.bind(stop=["."]).astream(EASY),
        "chain": lambda: (PROMPT | llm | StrOutputParser()).astream({"question": EASY}),
        "answers": lambda: llm.abatch_as_completed([EASY, HARD]),
    }

    async def leave(stream: Callable[[], Any]) -> None:
        async for _ in stream():
            break

    for stream in streams.values():
        asyncio.run(leave(stream))
    gc.collect()  # tells of tasks whose error nobody has read
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_streamed_tokens_are_seen_once(llm):
    recorded = Events()
    whole = "".join(
        (PROMPT | llm | StrOutputParser()).stream({"question": EASY}, {"callbacks": [recorded]})
    )
    assert "".join(recorded.tokens) == whole


async def test_a_stream_left_half_way_ends_the_models_run():
    async def events(model: Any) -> list[Any]:
        recorded = Events()
        config = {"callbacks": [recorded]}
        stream = model.stream(EASY, config)
        next(stream)
        stream.close()
        later = model.astream(EASY, config)
        await later.__anext__()
        await later.aclose()
        task = asyncio.create_task(model.ainvoke(EASY, config))
        while len(recorded.metadata) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return recorded.seen

    def slow() -> FakeListChatModel:
        return FakeListChatModel(responses=["Rayleigh scattering."], sleep=0.1)

    bare = await events(slow())
    assert await events(ChatRouteLLM(slow(), slow(), router="length", threshold=0.8)) == bare
    ends = [event[-1] for event in bare if event[0] == "model error"]
    assert ends[:2] == [GeneratorExit, GeneratorExit]


@pytest.fixture
def graph_of() -> Callable[..., Any]:
    """Make a graph of one node that calls a model."""
    pytest.importorskip("langgraph")
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import START, MessagesState, StateGraph

    def make(model: Any) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("answer", lambda state: {"messages": [model.invoke(state["messages"])]})
        graph.add_edge(START, "answer")
        return graph.compile(checkpointer=InMemorySaver())

    return make


def test_a_graph_streams_each_token_once(llm, graph_of):
    config = {"configurable": {"thread_id": "1"}}
    parts = list(
        graph_of(llm).stream({"messages": [("human", EASY)]}, config, stream_mode="messages")
    )
    text = "".join(chunk.text for chunk, _ in parts)
    assert text == llm.invoke(EASY).text
    assert {metadata["routellm_tier"] for _, metadata in parts} == {"weak"}


@pytest.mark.parametrize(("sticky", "tier"), [("turn", "weak"), ("conversation", "strong")])
def test_a_conversation_outlives_a_checkpoint(strong, weak, graph_of, sticky, tier):
    graph = graph_of(routed(strong, weak, sticky=sticky))
    config = {"configurable": {"thread_id": "1"}}
    graph.invoke({"messages": [("human", HARD)]}, config)
    messages = graph.invoke({"messages": [("human", EASY)]}, config)["messages"]
    assert messages[-1].response_metadata["routellm"]["tier"] == tier
    assert "routellm" not in str(strong.requests + weak.requests)
    other = {"configurable": {"thread_id": "2"}}
    messages = graph.invoke({"messages": [("human", EASY)]}, other)["messages"]
    assert messages[-1].response_metadata["routellm"]["tier"] == "weak"


def test_what_a_supervisors_agents_say_is_not_scored(llm):
    graphs = pytest.importorskip("langgraph.graph")

    def supervisor(state: Any) -> Any:
        return {"models": [llm.invoke(state["messages"]).response_metadata["model_name"]]}

    def researcher(state: Any) -> Any:
        return {"messages": [HumanMessage(HARD * 2, name="researcher")]}

    class State(graphs.MessagesState):
        models: Annotated[list[str], operator.add]

    graph = graphs.StateGraph(State)
    graph.add_node("supervisor", supervisor)
    graph.add_node("researcher", researcher)
    graph.add_edge(graphs.START, "supervisor")
    steps = {2: graphs.END}
    graph.add_conditional_edges(
        "supervisor", lambda state: steps.get(len(state["models"]), "researcher")
    )
    graph.add_edge("researcher", "supervisor")
    for text, model in ((EASY, "gpt-4o-mini"), (HARD, "gpt-4o")):
        assert graph.compile().invoke({"messages": [("human", text)]})["models"] == [model, model]


def test_a_graph_can_route_otherwise(llm, graph_of):
    config = {"configurable": {"thread_id": "1", "routellm_threshold": 0.1}}
    messages = graph_of(llm).invoke({"messages": [("human", EASY)]}, config)["messages"]
    assert messages[-1].response_metadata["routellm"]["tier"] == "strong"


def test_an_agent_stays_with_one_model_through_its_tools(llm, strong, weak):
    agents = pytest.importorskip("langchain.agents")
    agent = agents.create_agent(llm, [search])
    for text, upstream in ((EASY, weak), (HARD, strong)):
        messages = agent.invoke({"messages": [("human", text)]})["messages"]
        assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
        assert len(upstream.requests) == 2
    assert len(weak.requests) == 2


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the OpenAI client
@pytest.mark.parametrize("strategy", ["schema", "ToolStrategy", "ProviderStrategy"])
def test_an_agent_answers_in_a_form(llm, strategy):
    agents = pytest.importorskip("langchain.agents")
    strategies = pytest.importorskip("langchain.agents.structured_output")
    form = City if strategy == "schema" else getattr(strategies, strategy)(City)
    agent = agents.create_agent(llm, [], response_format=form)
    state = agent.invoke({"messages": [("human", EASY)]})
    assert state["structured_response"] == City(name="example")


def test_code_that_opens_a_run_of_its_own_can_name_what_it_calls(llm):
    params = llm._get_ls_params(stop=["END"])
    assert (params["ls_provider"], params["ls_model_name"]) == ("openai", "router-length-0.8")
    others = ChatRouteLLM(llm.strong, FakeListChatModel(responses=["so"]), **LENGTH)
    assert others._get_ls_params()["ls_provider"] == "routellm"
    assert llm._get_ls_params(model="router-mf-0.1")["ls_model_name"] == "router-mf-0.1"
    identity = {"model": "router-length-0.8", "strong": "gpt-4o", "weak": "gpt-4o-mini"}
    assert llm._identifying_params == identity


def test_code_that_opened_a_run_of_its_own(llm, strong):
    result = llm._generate([HumanMessage(HARD)], stop=["END"])
    (generation,) = result.generations
    assert generation.text == llm.invoke(HARD).text
    assert generation.message.response_metadata["routellm"]["tier"] == "strong"
    assert strong.requests[0]["stop"] == ["END"]
