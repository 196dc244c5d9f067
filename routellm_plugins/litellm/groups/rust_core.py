"""Selection before the Rust core, which litellm.Router has from 1.110 on.

That core asks Python for the model group of a pick before it makes one. A custom strategy would
have to make the pick itself, and could not leave it to the core.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

_PRE_ROUTE, _PRE_ROUTE_SYNC = "_pre_route", "_custom_pick_sync"
_INPUTS, _SELECT_SYNC = "_routing_inputs", "get_available_deployment"
_pick: ContextVar[Callable[[str], Any] | None] = ContextVar("routellm_pick", default=None)
"""What the core would answer for a group in the pick that is being made."""


class RustCore:
    """Puts a strategy before the selection of a Router's core.

    Args:
        core: of the Router.
        routed_entry: returns the routed alias's entry that has an id, if there is one.
    """

    def __init__(self, core: Any, routed_entry: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._core = core
        self._routed_entry = routed_entry
        self._select_sync: Any = None

    @staticmethod
    def is_one(core: Any) -> bool:
        """Whether a Router's core is a Rust core."""
        return all(hasattr(type(core), name) for name in (_PRE_ROUTE, _PRE_ROUTE_SYNC, _INPUTS))

    async def aselect(self, *, model: str, **asked: Any) -> Any:
        """Return what the core is answered, to make a pick from a group: its name, or None if it is
        the one that was asked for; the entry of a routed alias where the name is its id. Outside of
        a pick, make one.
        """
        if (deployment := self._routed_entry(model)) is not None:
            return deployment
        pick = _pick.get()
        return await (self._core.select(model, **asked) if pick is None else pick(model))

    def select(self, *, model: str, **asked: Any) -> Any:
        """Like ``aselect``."""
        if (deployment := self._routed_entry(model)) is not None:
            return deployment
        pick = _pick.get()
        return self._select_sync(model, **asked) if pick is None else pick(model)

    def put(self, strategy: Any) -> None:
        """Let a strategy choose the group of each pick, before the core makes it."""
        # The core's own, as those in place may be of a strategy that was put there before.
        pre_route, pre_route_sync, inputs = (
            getattr(type(self._core), name).__get__(self._core)
            for name in (_PRE_ROUTE, _PRE_ROUTE_SYNC, _INPUTS)
        )

        async def asked_first(step: Mapping[str, Any], *given: Any, **named: Any) -> Any:
            async def left_to_core(group: str) -> Any:
                answer = await pre_route({**step, "model": group}, *given, **named)
                return _instead(answer, step, group)

            if named.get("pass_through"):
                return await pre_route(step, *given, **named)
            before = _pick.set(left_to_core)
            try:
                asked = _asked(pre_route, step, given, named)
                return await strategy.async_get_available_deployment(**asked)
            finally:
                _pick.reset(before)

        def asked_first_sync(step: Mapping[str, Any], *given: Any, **named: Any) -> Any:
            def left_to_core(group: str) -> Any:
                answer = pre_route_sync({**step, "model": group}, *given, **named)
                return _instead(answer, step, group)

            before = _pick.set(left_to_core)
            try:
                asked = _asked(pre_route_sync, step, given, named)
                return strategy.get_available_deployment(**asked)
            finally:
                _pick.reset(before)

        def asking_first(*given: Any, **named: Any) -> Any:
            asked = inspect.signature(inputs).bind(*given, **named).arguments
            plan = asked.get("plan")
            if getattr(plan, "sync", False) and getattr(plan, "kind", None) == "embedding":
                # Here, as the pick does not say whether it is one of embeddings or of responses.
                strategy.reject_embedding(asked["model"])
            # A call that is not asynchronous asks for no group otherwise.
            return {**inputs(*given, **named), "pre_routes": True}

        self._select_sync = getattr(type(self._core), _SELECT_SYNC).__get__(self._core)
        in_place = (asked_first, asked_first_sync, asking_first, strategy.get_available_deployment)
        names = (_PRE_ROUTE, _PRE_ROUTE_SYNC, _INPUTS, _SELECT_SYNC)
        vars(self._core).update(zip(names, in_place, strict=True))

    @property
    def in_place(self) -> object:
        """What selects now; None if nothing was put before the core's own selection."""
        return vars(self._core).get(_SELECT_SYNC)


def _asked(
    method: Callable[..., Any], step: Mapping[str, Any], given: Any, named: Any
) -> dict[str, Any]:
    """Return the arguments of a strategy for a step of the core, which leaves out what it knows
    from the request.
    """
    signature = inspect.signature(method)
    arguments = signature.bind(step, *given, **named).arguments
    request = arguments["request"]
    asked = {"model": str(step.get("model")), "request_kwargs": request}
    for name in ("messages", "input", "specific_deployment"):
        left_out = signature.parameters[name].default
        value = arguments.get(name, left_out)
        asked[name] = request.get(name) if value is left_out else value
    if named.get("call_type") == "aembedding":
        # As LiteLLM did before: among a request's own arguments, an input is one of responses.
        asked["request_kwargs"] = {k: v for k, v in request.items() if k != "input"}
    return asked


def chosen_by_core(answer: str | tuple[Any, ...]) -> str | None:
    """Return the group that a core has for a pick, which may be by a router of LiteLLM's."""
    group = answer if isinstance(answer, str) else answer[0] if answer else None
    return group if isinstance(group, str) else None


def _instead(answer: Any, step: Mapping[str, Any], group: str) -> Any:
    return group if answer is None and group != step.get("model") else answer
