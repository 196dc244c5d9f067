"""The hooks a plugin may implement. Hooks run on any thread, so they must be thread-safe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    from .decision import Decision
    from .routers.base import Router

PROJECT = "routellm"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """What a registering hook is handed."""

    def __call__(self, name: str, factory: Callable[..., object]) -> None:
        """Make ``factory`` available under ``name``; it is called with the user's options on
        first use, so heavy imports belong inside it.

        Raises:
            PluginError: the name is taken.
        """


@hookspec
def routellm_register_routers(register: Register) -> None:
    """Register routers: ``register("my-router", MyRouter)``; the factory returns a ``Router``."""


@hookspec
def routellm_register_encoders(register: Register) -> None:
    """Register encoders: ``register("mine", MyEncoder)``; the factory returns an ``Encoder``."""


@hookspec(firstresult=True)
def routellm_score(router: Router, router_name: str, text: str) -> float | None:
    """Score one text: the strong win rate in [0, 1], or None to leave it to the next plugin.

    A plain implementation answers instead of the router; one marked
    ``hookimpl(wrapper=True)`` post-processes whatever was answered.
    """


@hookspec
def routellm_decided(decision: Decision) -> None:
    """Observe a decision. What is raised here is logged and goes no further."""
