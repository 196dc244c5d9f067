"""Hooks: registering, scoring, observing, and every way a plugin can be wrong."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from routellm_core import (
    ConfigError,
    Decision,
    PluginError,
    Router,
    RoutingPolicy,
    hookimpl,
    load_encoder,
    load_router,
    register_plugin,
    unregister_plugin,
)
from routellm_core.registry.plugins import plugins


class LengthRouter(Router):
    instant = True

    def __init__(self, scale: int = 200) -> None:
        self.scale = scale

    def score(self, prompts):
        return np.array([min(len(p) / self.scale, 1.0) for p in prompts])


class LengthPlugin:
    @hookimpl
    def routellm_register_routers(self, register):
        register("length", LengthRouter)


def test_hook_routellm_register_routers(plugin):
    plugin(LengthPlugin())
    assert "length" in plugins.names("router")
    assert load_router("length", scale=10).score(["12345"]) == [0.5]
    assert load_router("length", scale=10) is load_router("length", scale=10)
    assert load_router("length", scale=20) is not load_router("length", scale=10)


def test_hook_routellm_register_encoders(plugin):
    class Wrong:
        @hookimpl
        def routellm_register_encoders(self, register):
            register("wrong", dict)

    plugin(Wrong())
    assert plugins.names("encoder") == ["openai", "sentence_transformer", "static", "wrong"]
    with pytest.raises(PluginError, match=r"encoder 'wrong' is a dict.*routellm_core\.Encoder"):
        load_encoder("wrong")


def test_hook_routellm_score_answers_instead_of_the_router(plugin):
    class Legal:
        @hookimpl
        def routellm_score(self, text):
            return 1.0 if "contract" in text else None

    plugin(LengthPlugin())
    plugin(Legal())
    policy = RoutingPolicy("length", threshold=0.9)
    assert policy.decide("my contract").score == 1.0
    assert policy.decide("short").score == pytest.approx(5 / 200)


def test_hook_routellm_score_wrapper_post_processes(plugin):
    class Halved:
        @hookimpl(wrapper=True)
        def routellm_score(self, router_name):
            assert router_name == "length"
            return (yield) / 2

    plugin(LengthPlugin())
    policy = RoutingPolicy("length", threshold=0.5)
    plugin(Halved())
    assert policy.decide("x" * 100).score == pytest.approx(0.25)


def test_hook_routellm_decided_and_isolated_observers(plugin, caplog):
    seen: list[Decision] = []

    class Broken:
        @hookimpl
        def routellm_decided(self):
            raise RuntimeError("observer down")

    class Leaving:
        @hookimpl
        def routellm_decided(self):
            raise SystemExit(1)

    class Watching:
        @hookimpl
        def routellm_decided(self, decision):
            seen.append(decision)

    plugin(Watching())
    plugin(Broken())
    plugin(Leaving())
    with caplog.at_level(logging.ERROR):
        decision = RoutingPolicy("random", threshold=0.0).decide("hello")
    assert seen == [decision]
    assert "observer down" in caplog.text


def test_an_observer_that_raises_is_logged_once(plugin, caplog):
    class Broken:
        @hookimpl
        def routellm_decided(self):
            raise RuntimeError("observer down")

    plugin(Broken())
    policy = RoutingPolicy("random", threshold=0.0)
    for text in "abc":
        policy.decide(text)
    assert len(caplog.records) == 1


def test_hook_routellm_scored_routers(plugin):
    batches: list[int] = []

    class Slow(LengthRouter):
        def score(self, prompts):
            batches.append(len(prompts))
            return super().score(prompts)

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("post-processed", Slow)
            register("untouched", Slow)

        @hookimpl
        def routellm_score(self, text):
            return 1.0

        @hookimpl
        def routellm_scored_routers(self):
            return ["post-processed"]

    plugin(Plugin())
    processed = RoutingPolicy("post-processed", threshold=0.5)
    assert [d.score for d in processed.decide_many(["a", "b"])] == [1.0, 1.0]
    assert batches == []
    untouched = RoutingPolicy("untouched", threshold=0.5)
    assert [d.score for d in untouched.decide_many(["a", "b"])] == [1 / 200, 1 / 200]
    assert batches == [2]


def test_hook_routellm_register_trainers(plugin):
    from routellm_core.training.trainers import Trainer, find_trainer

    trainer = Trainer(dict, lambda *args, **kwargs: {})

    class Plugin:
        @hookimpl
        def routellm_register_trainers(self, register):
            register("ours", lambda: trainer)
            register("wrong", dict)

    plugin(Plugin())
    assert find_trainer("ours") is trainer
    with pytest.raises(PluginError, match="trainer 'wrong' is a dict"):
        find_trainer("wrong")


def test_every_hook_has_a_test():
    from routellm_core import hookspecs

    hooks = [name for name in vars(hookspecs) if name.startswith("routellm_")]
    assert len(hooks) == 6
    source = Path(__file__).read_text()
    assert [hook for hook in hooks if f"def test_hook_{hook}" not in source] == []


def test_a_taken_name_raises_and_names_both():
    class Taken:
        @hookimpl
        def routellm_register_routers(self, register):
            register("ours", LengthRouter)
            register("mf", LengthRouter)

        def __repr__(self):
            return "<Taken>"

    with pytest.raises(PluginError, match=r"'mf'.*routellm-plugins \(built in\).*<Taken>"):
        register_plugin(Taken())
    assert "ours" not in plugins.names("router"), "a refused plugin leaves nothing behind"


def test_a_misspelt_hook_raises_and_names_the_right_one():
    class Misspelt:
        @hookimpl
        def routellm_scores(self, text):
            return 1.0

    wrong = Misspelt()
    with pytest.raises(PluginError, match=r"'routellm_scores': did you mean 'routellm_score'"):
        register_plugin(wrong)
    with pytest.raises(PluginError, match="not registered"):
        unregister_plugin(wrong)
    register_plugin(other := LengthPlugin())
    unregister_plugin(other)


def test_an_unknown_hook_argument_raises():
    class Misspelt:
        @hookimpl
        def routellm_score(self, txt):
            return 1.0

    with pytest.raises(PluginError, match=r"'txt'.*can not be found in the hookspec$"):
        register_plugin(Misspelt())


def test_a_registering_hook_that_raises_names_its_plugin():
    class Raising:
        @hookimpl
        def routellm_register_routers(self, register):
            register("half", LengthRouter)
            raise ZeroDivisionError("oh")

        def __repr__(self):
            return "<Raising>"

    message = r"<Raising>\) raised in routellm_register_routers \(ZeroDivisionError: oh\)"
    with pytest.raises(PluginError, match=message):
        register_plugin(Raising())
    assert "half" not in plugins.names("router")


def test_a_wrapper_where_nothing_is_to_wrap_raises():
    class Wrapper:
        @hookimpl(wrapper=True)
        def routellm_decided(self):
            return (yield)

    with pytest.raises(PluginError, match="routellm_decided cannot be a wrapper"):
        register_plugin(Wrapper())


def test_registering_twice_raises(plugin):
    obj = plugin(LengthPlugin())
    with pytest.raises(PluginError, match="registered already"):
        register_plugin(obj)
    assert "length" in plugins.names("router")


def test_unregistering_takes_the_router_back():
    obj = LengthPlugin()
    register_plugin(obj)
    unregister_plugin(obj)
    with pytest.raises(ConfigError, match="no router named 'length'"):
        load_router("length")


def test_a_router_that_breaks_the_contract_is_refused(plugin):
    class NotARouter:
        @hookimpl
        def routellm_register_routers(self, register):
            register("list", list)

    plugin(NotARouter())
    with pytest.raises(PluginError, match="router 'list' is a list"):
        load_router("list")


def _distribution(site: Path, name: str, module_source: str) -> None:
    """Lay out an installed distribution with one `routellm` entry point."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(textwrap.dedent(module_source))
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[routellm]\n{module} = {module}\n")


def _run(site: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{site}:{Path(__file__).parents[2]}", "PATH": "", **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


GOOD = """
    import numpy as np
    from routellm_core import Router, hookimpl
    class Half(Router):
        def score(self, prompts): return np.full(len(prompts), 0.5)
    @hookimpl
    def routellm_register_routers(register): register("half", Half)
"""
SCORE_HALF = "from routellm_core import load_router; print(load_router('half').score(['a']))"


def test_entry_points_are_found(tmp_path):
    _distribution(tmp_path, "routellm-half", GOOD)
    assert _run(tmp_path, SCORE_HALF).stdout == "[0.5]\n"


def test_autoload_can_be_disabled(tmp_path):
    _distribution(tmp_path, "routellm-half", GOOD)
    done = _run(tmp_path, SCORE_HALF, ROUTELLM_DISABLE_PLUGIN_AUTOLOAD="1")
    assert "ConfigError: no router named 'half'" in done.stderr


def test_two_distributions_with_one_name_are_both_named(tmp_path):
    _distribution(tmp_path, "routellm-half", GOOD)
    _distribution(tmp_path, "other-half", GOOD)
    error = _run(tmp_path, SCORE_HALF).stderr
    assert "PluginError: router 'half' is registered by both" in error
    assert "routellm-half" in error
    assert "other-half" in error


def test_a_plugin_that_fails_to_import_is_named_by_its_distribution(tmp_path):
    _distribution(tmp_path, "routellm-bad", "import a_module_that_is_not_there")
    error = _run(tmp_path, "from routellm_core import load_router; load_router('random')").stderr
    assert "PluginError: the plugin 'routellm_bad' of distribution routellm-bad failed" in error
    assert "a_module_that_is_not_there" in error


def test_a_router_that_loads_slowly_holds_up_no_other(plugin):
    loading, release = threading.Event(), threading.Event()
    made = []

    def slow() -> Router:
        loading.set()
        release.wait(30)
        made.append(LengthRouter())
        return made[-1]

    class Slow:
        @hookimpl
        def routellm_register_routers(self, register):
            register("slow", slow)

    plugin(Slow())
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(load_router, "slow") for _ in range(2))
        assert loading.wait(30)
        assert load_router("random", seed=1234).score(["x"]).shape == (1,)
        assert not first.done()
        release.set()
        assert first.result(30) is second.result(30)
    assert len(made) == 1
