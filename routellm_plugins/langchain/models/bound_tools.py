"""Tools bound to a routed model: one list for those who read it, and each model's own binding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.utils.function_calling import convert_to_openai_tool

from routellm_core import Tier

from .inner import TOOL_ARGUMENTS, InnerModel, derived


class BoundTools(list[Any]):
    """The value of ``tools`` in what ``ChatRouteLLM.bind_tools`` returns.

    Its items are the tools in the form of the strong model's provider, since LangGraph and others
    read there which tools a model has. A call is made with what the chosen model's own
    ``bind_tools`` returned.

    Args:
        tools: as ``bind_tools`` takes them.
        options: further arguments of ``bind_tools``.
        strong: the strong model.
        weak: the weak model.

    Raises:
        NotImplementedError: one of the models does not support tools.
    """

    def __init__(
        self,
        tools: Sequence[Any],
        options: dict[str, Any],
        strong: InnerModel,
        weak: InnerModel,
    ) -> None:
        self._tools = list(tools)
        self._options = options
        self._bound: dict[Tier, tuple[InnerModel, InnerModel]] = {}
        shown = _arguments(self._on("strong", strong))
        self._on("weak", weak)
        super().__init__(shown.pop("tools", None) or map(_as_openai_tool, self._tools))
        self._shown = shown

    @property
    def arguments(self) -> dict[str, Any]:
        """What a binding shows: ``tools``, and with it ``tool_choice`` and the like."""
        return {"tools": self, **self._shown}

    def on(self, tier: Tier, model: InnerModel, kwargs: dict[str, Any]) -> InnerModel:
        """Return a model with the tools bound in its own form.

        Args:
            tier: of the model.
            model: that is called.
            kwargs: of the call. What ``arguments`` brought is removed; what the caller gave
                instead stays.
        """
        del kwargs["tools"]
        for name, value in self._shown.items():
            if name in kwargs and kwargs[name] is value:
                del kwargs[name]
        return self._on(tier, model)

    def _on(self, tier: Tier, model: InnerModel) -> InnerModel:
        known = self._bound.get(tier)
        if known is None or known[0] is not model:
            bound = derived(tier, model, "bind_tools", self._tools, **self._options)
            known = self._bound[tier] = model, bound
        return known[1]


def _arguments(bound: object) -> dict[str, Any]:
    """Return what ``bind_tools`` bound to a model, looked for inside its wrappers."""
    while isinstance(bound, RunnableBindingBase | RunnableWithFallbacks):
        if isinstance(bound, RunnableWithFallbacks):
            bound = bound.runnable
            continue
        if "tools" in bound.kwargs:
            return {name: bound.kwargs[name] for name in TOOL_ARGUMENTS if name in bound.kwargs}
        bound = bound.bound
    return {}


def _as_openai_tool(tool: Any) -> Any:
    return tool if isinstance(tool, dict) else convert_to_openai_tool(tool)
