"""LiteLLM: a ``litellm.Router`` with a routed alias, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import litellm
from litellm import Router
from litellm.integrations.custom_logger import CustomLogger

from routellm_core.settings import HOW_MUCH
from routellm_plugins.litellm import install

from .cases import KEYS, RETURNED, TOOL, Content, Said, messages_of

ALIAS = "routed"


class LiteLLMAdapter:
    name = "litellm"
    settles = True

    def __init__(
        self, strong_url: str, weak_url: str, strong: str = "strong", **settings: Any
    ) -> None:
        routellm = {"strong": strong, "weak": "weak", **settings}
        routellm.setdefault("allow_override", {"min": 0, "max": 1})
        named = ("router", "router_options", "adapt", "allow_override", *HOW_MUCH)
        by_name = {k: v for k, v in routellm.items() if k not in named}
        self._router = Router(
            model_list=[
                _entry(strong, "openai/strong", api_base=strong_url),
                _entry("weak", "openai/weak", api_base=weak_url),
                {**_entry(ALIAS, "openai/routellm"), "model_info": {"routellm": routellm}},
                {**_entry("router-*", "openai/routellm"), "model_info": {"routellm": by_name}},
            ],
            num_retries=0,
        )
        install(self._router)
        self._settings = settings

    def ask(
        self,
        text: Content | None,
        *,
        history: Sequence[Said] = (),
        override: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        model, wish = ALIAS, {}
        if override and "threshold" in override:
            named = {**self._settings, **override}
            model = f"router-{named['router']}-{named['threshold']:g}"
        elif override:
            wish = {f"routellm_{name}": value for name, value in override.items()}
        messages = messages_of(text, history)
        return self._report(
            lambda metadata: self._router.completion(
                model=model, messages=messages, metadata=metadata
            ),
            wish,
        )

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        answers: list[Any] = []

        def respond(text: str, metadata: dict[str, Any]) -> Any:
            previous = {"previous_response_id": answers[-1].id} if answers else {}
            answers.append(
                self._router.responses(
                    model=ALIAS, input=text, litellm_metadata=metadata, **previous
                )
            )
            return answers[-1]

        return [
            self._report(lambda metadata, text=text: respond(text, metadata))
            for text in (first, then)
        ]

    def trimmed(self, text: str) -> dict[str, Any]:
        litellm.logging_callback_manager.add_litellm_callback(_LOGGED)
        messages: list[Any] = [{"role": "user", "content": text}]
        answer = self._router.completion(model=ALIAS, messages=messages, tools=[TOOL])
        _LOGGED.wait(answer.id)
        said = answer.choices[0].message.model_dump(exclude_none=True)
        result = {"tool_call_id": said["tool_calls"][0]["id"], "content": RETURNED}
        messages = [said, {"role": "tool", **result}]
        return self._report(
            lambda metadata: self._router.completion(
                model=ALIAS, messages=messages, tools=[TOOL], metadata=metadata
            )
        )

    def close(self) -> None:
        self._router.discard()

    def _report(
        self, call: Callable[[dict[str, Any]], Any], wish: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        metadata: dict[str, Any] = dict(wish or {})
        served = _text_of(call(metadata)).split(" ")[0]
        report = metadata["spend_logs_metadata"]["routellm"]
        assert report["model"] == served
        return {**dict.fromkeys(KEYS), **report, "served": served}


class _Logged(CustomLogger):
    """Knows which answers LiteLLM has logged, which it does on a thread and after the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._ids: set[str] = set()
        self._changed = threading.Condition()

    def log_success_event(self, **told: Any) -> None:
        with self._changed:
            self._ids.add(told["response_obj"].id)
            self._changed.notify_all()

    def wait(self, answer_id: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: answer_id in self._ids, timeout=30)


_LOGGED = _Logged()


def _text_of(answer: Any) -> str:
    """Return what the stand-in answered, which begins with its name."""
    if hasattr(answer, "choices"):
        return str(answer.choices[0].message.content)
    return str(answer.output[0].content[0].text)


def _entry(name: str, model: str, **params: str) -> dict[str, Any]:
    return {
        "model_name": name,
        "litellm_params": {"model": model, "api_key": "unused", **params},
    }
