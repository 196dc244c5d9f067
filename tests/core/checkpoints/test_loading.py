"""What load_router and load_encoder share, and which options they refuse."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core import (
    CheckpointError,
    ConfigError,
    PluginError,
    Router,
    RoutingPolicy,
    hookimpl,
    load_router,
)
from routellm_core.checkpoints.store import BUNDLED
from routellm_core.encoders.static import StaticEncoder
from routellm_core.registry.loading import described_encoder
from routellm_core.routers.mf.router import MatrixFactorizationRouter
from routellm_core.routers.sw_ranking.router import SWRankingRouter


class Half(Router):
    def __init__(self, given: object = 1, checkpoint: object = None) -> None:
        self.given = given

    def score(self, prompts: Any) -> Any:
        return np.full(len(prompts), 0.5)


class HalfPlugin:
    @hookimpl
    def routellm_register_routers(self, register: Any) -> None:
        register("half", Half)


def test_an_option_at_its_default_is_no_other_router(plugin: Any) -> None:
    assert load_router("mf") is load_router("mf", checkpoint="mf")
    assert load_router("mf") is load_router("mf", checkpoint="mf", weak_model=None)
    assert load_router("mf") is load_router("mf", checkpoint=BUNDLED / "mf")
    assert load_router("random") is load_router("random", seed=0)
    assert load_router("random") is not load_router("random", seed=1)
    plugin(HalfPlugin())
    assert load_router("half") is load_router("half", given=1)
    # Equal in Python, but not the same to a router.
    assert load_router("half") is not load_router("half", given=True)


@pytest.mark.parametrize(
    ("router", "other"),
    [("mf", "sw_ranking"), ("mf", "bert"), ("sw_ranking", "mf"), ("bert", "mf")],
)
def test_a_checkpoint_of_another_router_is_told(router: str, other: str) -> None:
    with pytest.raises(CheckpointError, match=f"checkpoint of router '{other}', not of '{router}'"):
        load_router(router, checkpoint=other)


@pytest.mark.parametrize("name", ["mf", "sw_ranking"])
def test_a_folder_may_be_text_or_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(BUNDLED / name, tmp_path / "copied"))
    loaded = load_router(name, checkpoint=folder)
    assert loaded is load_router(name, checkpoint=str(folder))
    monkeypatch.chdir(tmp_path)
    assert loaded is load_router(name, checkpoint=Path("copied"))
    assert loaded is load_router(name, checkpoint="copied")
    assert RoutingPolicy(name, strong_share=0.3, router_options={"checkpoint": folder}).decide(
        "hello"
    ).score == pytest.approx(loaded.score(["hello"])[0])


def test_every_class_takes_a_path() -> None:
    assert StaticEncoder.from_pretrained(BUNDLED / "static").dim == 256
    MatrixFactorizationRouter.from_pretrained(BUNDLED / "mf")
    SWRankingRouter.from_pretrained(BUNDLED / "sw_ranking")


@pytest.mark.parametrize("value", [[1], {"a": 1}, ([1],), (1, {"a": 2})])
def test_an_option_that_cannot_be_hashed_is_an_error(value: object) -> None:
    with pytest.raises(ConfigError, match="option 'seed' must be a plain value"):
        load_router("random", seed=value)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="option 'seed' must be a plain value"):
        RoutingPolicy("random", threshold=0.5, router_options={"seed": value})
    with pytest.raises(ConfigError, match="did you mean 'seed'"):
        load_router("random", sede=value)  # type: ignore[arg-type]


def test_an_encoder_described_with_such_an_option_is_an_error() -> None:
    with pytest.raises(ConfigError, match="encoder 'openai': option 'model' must be a plain value"):
        described_encoder({"name": "openai", "model": ["a"]})
    for wrong in (5, None, {}, {"name": 5}, {"name": "openai", 5: "a"}):
        with pytest.raises(ConfigError, match=r"'encoder' is .*write its name"):
            described_encoder(wrong)


@pytest.mark.parametrize(("name", "factory"), [(5, Half), ("half", "Half")])
def test_what_is_registered_has_a_name_and_can_be_called(
    plugin: Any, name: Any, factory: Any
) -> None:
    class Wrong:
        @hookimpl
        def routellm_register_routers(self, register: Any) -> None:
            register(name, factory)

    with pytest.raises(PluginError, match="register a name with a function or class"):
        plugin(Wrong())


@pytest.mark.parametrize("answer", ["mf", [1], None, ZeroDivisionError("oh")])
def test_scored_routers_that_are_no_list_of_names_are_an_error(plugin: Any, answer: Any) -> None:
    class Wrong:
        @hookimpl
        def routellm_scored_routers(self) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(PluginError, match=r"routellm_scored_routers failed.*return a list"):
        plugin(Wrong())


@pytest.mark.skipif(sys.platform == "win32", reason="has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads
def test_a_fork_while_a_router_loads_does_not_wait_for_the_parents_thread(plugin: Any) -> None:
    loading, release = threading.Event(), threading.Event()
    parent = os.getpid()

    def slow() -> Router:
        loading.set()
        if os.getpid() == parent:
            release.wait(30)
        return Half()

    class Slow:
        @hookimpl
        def routellm_register_routers(self, register: Any) -> None:
            register("slow", slow)

    plugin(Slow())
    thread = threading.Thread(target=load_router, args=("slow",))
    thread.start()
    assert loading.wait(30)
    child = os.fork()
    if not child:
        threading.Timer(20, os._exit, [1]).start()
        load_router("slow")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    release.set()
    thread.join()
    assert status == 0
