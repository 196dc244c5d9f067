"""LangChain's standard tests for chat models, once with all calls weak, once with all strong.

The clients are real, the models stand-ins. Skipped, of unit and integration tests:

- ``test_init_from_env``: ChatRouteLLM reads no environment variables.
- ``test_serdes``: it is not LangChain-serializable, which ``load`` allows only to LangChain's own.
- ``test_stream_time``: it times a recording of a provider's answers, and there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

pytest.importorskip("langchain_tests")
pytest.importorskip("langchain_openai")

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from routellm_plugins.demo.standin.answers import Answer
from routellm_plugins.langchain import ChatRouteLLM
from tests.fakes.openai_upstream import Upstream
from tests.langchain.clients import client

pytestmark = [
    # What LangChain and its OpenAI client warn of with every model, also without routing.
    pytest.mark.filterwarnings("ignore:.*is in beta"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema"),
    pytest.mark.filterwarnings("ignore:OpenAI may require a filename"),
]


class Obliging(Upstream):
    """Does what the standard tests ask for in words, or expect of a provider."""

    def answer(self, body: dict[str, Any]) -> Answer:
        answer = replace(super().answer(body), model=body["model"])
        asked = str(body["messages"])
        if answer.tool == "magic_function":
            return replace(answer, arguments=json.dumps({"input": 3}))
        if answer.tool == "unicode_customer":
            name = re.findall(r"named '(\w+)'", asked)[-1]
            return replace(answer, arguments=json.dumps({"customer_name": name, "description": ""}))
        if (body.get("response_format") or {}).get("type") == "json_object":
            return replace(answer, text=json.dumps(dict.fromkeys(("setup", "punchline"), "A joke")))
        return answer


@pytest.fixture(scope="class", autouse=True)
def pair(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start the models of a test class, and see at the end that one of them had every call."""
    with Obliging("gpt-4o") as strong, Obliging("gpt-4o-mini") as weak:
        request.cls.strong, request.cls.weak = strong, weak
        yield
        asked = {"strong": len(strong.requests), "weak": len(weak.requests)}
    idle = "weak" if request.cls.tier == "strong" else "strong"
    assert asked[idle] == 0, asked


CAN: dict[str, Any] = {}
"""What the stand-ins can do, unlike the models whose names they have."""
if "profile" in ChatOpenAI.model_fields:
    CAN["profile"] = {"audio_inputs": True, "image_inputs": True, "pdf_inputs": True}


class Routed:
    """How both suites make the model."""

    tier = "weak"
    strong: Obliging
    weak: Obliging

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouteLLM

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "strong": client(self.strong, stream_usage=True, **CAN),
            "weak": client(self.weak, stream_usage=True, **CAN),
            "router": "random",
            "threshold": 0.0 if self.tier == "strong" else 1.0,
        }


class TestUnit(Routed, ChatModelUnitTests):
    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        # 'timeout', 'max_retries' and 'api_key' are for the clients.
        return {"temperature": 0, "max_tokens": 100, "stop": []}


class Integration(Routed, ChatModelIntegrationTests):
    supports_json_mode = True
    supports_image_inputs = True
    supports_image_urls = True
    supports_image_tool_message = True
    supports_pdf_inputs = True
    supports_pdf_tool_message = True
    supports_audio_inputs = True
    supports_anthropic_inputs = True
    supports_model_override = True
    model_override_value = "another-model"

    @pytest.fixture(autouse=True)
    def downloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give the media tests bytes where they fetch a file from the web."""

        def get(url: str, **options: Any) -> httpx.Response:
            return httpx.Response(200, content=b"bytes", request=httpx.Request("GET", url))

        monkeypatch.setattr(httpx, "get", get)
        monkeypatch.setattr(
            "langchain_tests.integration_tests.chat_models._get_base64_from_url",
            lambda url: "Ynl0ZXM=",
            raising=False,
        )


class TestAllWeak(Integration):
    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "json_schema"}


class TestAllStrong(Integration):
    tier = "strong"

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "function_calling"}
