"""A model that cannot serve a request is not chosen: beside the plain groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm.deciding.needs import needs_of
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, body_of, post
from tests.litellm.configs import HANDLER, alias, group

WINDOW = 2_000
LONG = "rain " * WINDOW  # of 10,000 bytes, but EASY to the router below
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
IMAGES = {
    "chat/completions": {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
    },
    "responses": {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
    "messages": {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
    },
}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS = {
    "chat/completions": {"type": "function", "function": {"name": "read", "parameters": SCHEMA}},
    "responses": {"type": "function", "name": "read", "parameters": SCHEMA},
    "messages": {"name": "read", "input_schema": SCHEMA},
}


class Small(Upstream):
    """A model with a small window, no images and no tools; what it lacks is a 400."""

    def fault(self, body: dict[str, Any]) -> int | None:
        said = str(body)
        return 400 if "image" in said or body.get("tools") or len(said) > 5 * WINDOW else None


@pytest.fixture(scope="module")
def small() -> Iterator[Upstream]:
    with Small("small") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def unknown() -> Iterator[Upstream]:
    """As small; but LiteLLM shares what it knows between entries of one model."""
    with Small("unknown") as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    small: Upstream,
    unknown: Upstream,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    limits = {
        "max_input_tokens": WINDOW,
        "supports_vision": False,
        "supports_function_calling": False,
    }
    config = {
        "model_list": [
            group("gpt-4o", strong),
            {**group("small", small), "model_info": limits},
            group("unknown", unknown),
            alias("router", router="length", threshold=1, weak="small"),
            alias("to-unknown", router="length", threshold=1, weak="unknown"),
            alias("swapped", router="length", threshold=0, strong="small", weak="gpt-4o"),
            alias("both-small", router="length", threshold=1, strong="small", weak="tiny"),
            {**group("tiny", small), "model_info": {**limits, "max_input_tokens": WINDOW // 2}},
            alias("sticky", router="length", threshold=0.6, sticky="conversation"),
            group("gpt-4o-mini", strong),
            {**group("falling", small), "model_info": limits},
            group("third", strong),
            alias("third-falls", router="length", threshold=0, strong="falling", weak="gpt-4o"),
            alias("other-falls", router="length", threshold=0, strong="falling", weak="third"),
        ],
        "router_settings": {
            "num_retries": 0,
            "disable_cooldowns": True,
            "enable_pre_call_checks": True,
            "context_window_fallbacks": [{"falling": ["third"]}],
        },
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


def decided(answer: Any) -> tuple[str, str]:
    return answer.headers["x-routellm-model"], answer.headers["x-routellm-cause"]


def ask(proxy: ProxyProcess, endpoint: str, model: str, said: Any, **options: Any) -> Any:
    return post(proxy, f"v1/{endpoint}", body_of(endpoint, model, said, **options))


def ask_gemini(proxy: ProxyProcess, model: str, *parts: dict[str, Any]) -> Any:
    contents = {"contents": [{"role": "user", "parts": list(parts)}]}
    return post(proxy, f"v1beta/models/{model}:generateContent", contents)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_prompt_beyond_the_window(proxy: ProxyProcess, endpoint: str) -> None:
    long, short = LONG + "\n", EASY
    assert ask(proxy, endpoint, "small", long).status_code == 400
    answer = ask(proxy, endpoint, "router", long)
    assert answer.status_code == 200, answer.text
    assert decided(answer) == ("gpt-4o", "context_window")
    assert "x-routellm-score" not in answer.headers
    answer = ask(proxy, endpoint, "router", short)
    assert answer.status_code == 200, answer.text
    assert decided(answer) == ("small", "score")


@pytest.mark.parametrize("endpoint", IMAGES)
def test_an_image(proxy: ProxyProcess, endpoint: str) -> None:
    kind = "input_text" if endpoint == "responses" else "text"
    said = [{"type": kind, "text": EASY}, IMAGES[endpoint]]
    assert ask(proxy, endpoint, "small", said).status_code == 400
    answer = ask(proxy, endpoint, "router", said)
    assert answer.status_code == 200, answer.text
    assert decided(answer) == ("gpt-4o", "vision")


@pytest.mark.parametrize("endpoint", TOOLS)
def test_tools(proxy: ProxyProcess, endpoint: str) -> None:
    tools = [TOOLS[endpoint]]
    assert ask(proxy, endpoint, "small", EASY, tools=tools).status_code == 400
    answer = ask(proxy, endpoint, "router", EASY, tools=tools)
    assert answer.status_code == 200, answer.text
    assert decided(answer) == ("gpt-4o", "tools")


def test_gemini(proxy: ProxyProcess) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    assert decided(ask_gemini(proxy, "router", {"text": EASY})) == ("small", "score")
    assert decided(ask_gemini(proxy, "router", {"text": EASY}, image)) == ("gpt-4o", "vision")
    long = ask_gemini(proxy, "router", {"text": LONG})
    assert decided(long) == ("gpt-4o", "context_window")


def test_the_strong_model_may_be_the_one_that_lacks_something(proxy: ProxyProcess) -> None:
    answer = ask(proxy, "chat/completions", "swapped", LONG)
    assert decided(answer) == ("gpt-4o", "context_window")
    assert answer.status_code == 200


@pytest.mark.parametrize("endpoint", ["chat/completions", "messages"])
def test_what_is_too_long_goes_where_the_group_lets_it_fall(
    proxy: ProxyProcess, endpoint: str
) -> None:
    plain, routed = (ask(proxy, endpoint, name, LONG) for name in ("falling", "third-falls"))
    assert decided(routed) == ("falling", "score")
    for answer in (plain, routed):
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-litellm-attempted-fallbacks"] == "1"
    # The other group is asked at once.
    answer = ask(proxy, endpoint, "other-falls", LONG)
    assert decided(answer) == ("third", "context_window")
    assert answer.headers["x-litellm-attempted-fallbacks"] == "0"


def test_what_is_not_known_counts_as_able(proxy: ProxyProcess) -> None:
    answer = ask(proxy, "chat/completions", "to-unknown", EASY, tools=[TOOLS["chat/completions"]])
    plain = ask(proxy, "chat/completions", "unknown", EASY, tools=[TOOLS["chat/completions"]])
    assert decided(answer) == ("unknown", "score")
    assert answer.status_code == plain.status_code == 400


def test_where_neither_can_the_strong_provider_says_why(proxy: ProxyProcess) -> None:
    answer = ask(proxy, "chat/completions", "both-small", LONG * 4)
    plain = ask(proxy, "chat/completions", "small", LONG * 4)
    assert decided(answer) == ("small", "context_window")
    assert (answer.status_code, answer.json()["error"]["code"]) == (
        plain.status_code,
        plain.json()["error"]["code"],
    )


def test_a_conversation_that_begins_like_another(proxy: ProxyProcess) -> None:
    """Its first request is judged by itself, whatever the other came to."""
    begun = [{"role": "user", "content": EASY}]
    answered = [*begun, {"role": "assistant", "content": "Leonardo."}]
    hard = [*answered, {"role": "user", "content": HARD}]
    easy = [*answered, {"role": "user", "content": EASY}]

    def cause(messages: list[dict[str, Any]]) -> str:
        body = {"model": "sticky", "messages": messages}
        return decided(post(proxy, "v1/chat/completions", body))[1]

    causes = [cause(messages) for messages in (begun, hard, easy, begun)]
    assert causes == ["score", "score", "conversation", "score"]


def test_needs_are_read_in_any_depth() -> None:
    deep: Any = "x" * 3_000
    for _ in range(50_000):
        deep = [{"content": deep}]
    assert needs_of({"messages": deep}).tokens > 1_000


def test_data_of_images_are_no_words() -> None:
    result = {"type": "tool_result", "content": [IMAGES["messages"], {"type": "text", "text": "x"}]}
    image = {**IMAGES["messages"]["source"], "data": PIXEL * 10_000}
    large = {"type": "image", "source": image}
    for content in ([result], [large]):
        needs = needs_of({"messages": [{"role": "user", "content": content}]})
        assert needs.images
        assert needs.tokens < 1_600


def test_data_of_videos_are_no_words() -> None:
    url = f"data:video/mp4;base64,{PIXEL * 10_000}"
    message = {"role": "user", "content": [{"type": "video_url", "video_url": {"url": url}}]}
    inline = {"inlineData": {"mimeType": "video/mp4", "data": PIXEL * 10_000}}
    for body in ({"messages": [message]}, {"contents": [{"parts": [inline]}]}):
        needs = needs_of(body)
        assert needs.video
        assert needs.tokens < 100
