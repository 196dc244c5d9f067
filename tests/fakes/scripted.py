"""A router that does whatever a test says."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np

from routellm_core import Router, RoutingPolicy, hookimpl

RAISED = {
    "exit": SystemExit(1),
    "cancelled": concurrent.futures.CancelledError(),
    "task cancelled": asyncio.CancelledError(),
    "timeout": TimeoutError("the scoring server is slow"),
    "stop": StopIteration(),
}


class Scripted(Router):
    """Scores whatever the test says, however slowly it says."""

    instant = False

    def __init__(self, kind: str = "fixed") -> None:
        self.kind = kind
        self.release = threading.Event()

    def score(self, prompts):
        if self.kind == "raise":
            raise RuntimeError("no weights")
        if self.kind in RAISED:
            raise RAISED[self.kind]
        if self.kind == "hang":
            self.release.wait(30)
        if self.kind == "nan":
            return np.array([np.nan])
        return np.array([0.7])


class ScriptedPlugin:
    def __init__(self) -> None:
        self.made: list[Scripted] = []

    @hookimpl
    def routellm_register_routers(self, register):
        register("scripted", self._make)

    def _make(self, kind: str = "fixed") -> Scripted:
        self.made.append(Scripted(kind))
        return self.made[-1]


def policy_of(kind: str, **settings) -> RoutingPolicy:
    return RoutingPolicy("scripted", router_options={"kind": kind}, threshold=0.5, **settings)


def routers_of(**factories: Any) -> object:
    """Return a plugin that registers these routers."""

    @hookimpl
    def routellm_register_routers(register):
        for name, factory in factories.items():
            register(name, factory)

    return SimpleNamespace(routellm_register_routers=routellm_register_routers)
