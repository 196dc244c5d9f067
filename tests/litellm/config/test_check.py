"""`routellm check`: what it lists, warns of and refuses, and the files that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from routellm_plugins.cli import app
from tests.cli.command import routellm
from tests.fakes import routers
from tests.litellm.config.checked import USUAL, check, config, group
from tests.litellm.configs import HANDLER, MARKER, alias

EXAMPLE = Path(__file__).parents[3] / "examples/litellm/config.yaml"
ROUTED = """
model_list:
  - {model_name: gpt-4o}
  - {model_name: gpt-4o-mini}
  - model_name: a
    litellm_params: {model: openai/routellm}
    model_info: {routellm: {strong: gpt-4o, weak: gpt-4o-mini, router: random, threshold: 0.5}}
"""


@pytest.fixture(autouse=True)
def _fake_routers(plugin: Any) -> None:
    plugin(routers)


@pytest.mark.parametrize(
    ("alias_of", "mistake"),
    [
        ("my-router", "'strong' is 'best', a model_group_alias of 'my-router', which is routed"),
        ("router-length-0.5", "a model_group_alias of 'router-length-0.5', which is routed itself"),
        ("gpt-4", "'gpt-4', but no model_list entry has that model_name: did you mean 'gpt-4o'?"),
        ("good", "a model_group_alias of 'good', but no model_list entry has that model_name"),
        ("gpt-4o-mini", "'strong' and 'weak' both lead to 'gpt-4o-mini': name two model groups"),
    ],
)
@pytest.mark.parametrize("form", [str, lambda model: {"model": model, "hidden": False}])
def test_group_aliases_that_lead_to_no_other_model(
    tmp_path: Path, alias_of: str, mistake: str, form: Any
) -> None:
    content = config(alias("my-router", **{**USUAL, "strong": "best"}), alias("router-*"))
    aliases = {"best": form(alias_of), "good": "gpt-4o"}
    result = check(tmp_path, {**content, "router_settings": {"model_group_alias": aliases}})
    assert result.exit_code == 2
    assert mistake in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("params", [None, "openai/routellm", {}, {"api_key": "unused"}])
def test_a_routed_entry_without_a_model(tmp_path: Path, params: object) -> None:
    entry = {**alias("a", **USUAL), "litellm_params": params}
    result = check(tmp_path, config(entry))
    assert result.exit_code == 2
    assert "'a': 'litellm_params' names no model: write litellm_params: {model: " in result.output


def test_a_placeholder_without_an_address(tmp_path: Path) -> None:
    entry = {**alias("a", **USUAL), "litellm_params": {"model": "openai/routellm"}}
    result = check(tmp_path, config(entry, alias("b", **USUAL)))
    assert result.exit_code == 0
    (warning,) = (line for line in result.output.splitlines() if line.startswith("warning:"))
    assert "'a'" in warning
    assert "write litellm_params: {model: openai/routellm, api_base: routellm://" in warning


def test_check_lists_the_aliases(tmp_path: Path) -> None:
    result = check(tmp_path, config(alias("my-router", **USUAL), alias("router-*")))
    assert result.exit_code == 0
    for word in ("my-router", "length", "0.5000", "gpt-4o-mini", "router-*", "as named"):
        assert word in result.output


def test_check_tells_what_requests_may_set(tmp_path: Path) -> None:
    limited = alias("my-router", **USUAL, allow_override={"max": 0.7})
    result = check(tmp_path, config(limited, alias("b", **USUAL), alias("router-*")))
    assert result.exit_code == 0
    for words in ("overrides", "0 to 0.7", "nothing", "0 to 1"):
        assert words in " ".join(result.output.split()), result.output


def test_check_warns_of_a_threshold_outside_the_scores(tmp_path: Path) -> None:
    content = config(alias("all", router="mf", threshold=0.116), alias("some", threshold=0.63))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    done = routellm("check", "--config", str(path))
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: model_list entry 'all': threshold 0.116 lies outside")
    assert "all usual traffic goes to the strong model" in line


@pytest.mark.parametrize(
    "own",
    [
        {"temperature": 0, "max_tokens": 99},
        {"configurable_clientside_auth_params": ["api_base"], "keepalive_seconds": 5},
    ],
)
def test_check_warns_of_parameters_that_have_no_effect(tmp_path: Path, own: dict[str, Any]) -> None:
    entry = {**alias("a", **USUAL), "litellm_params": {**MARKER, **own}}
    result = check(tmp_path, config(entry))
    assert result.exit_code == 0
    assert (
        f"warning: model_list entry 'a': not applied: {' and '.join(map(repr, own))} of "
        "litellm_params; write them in the entries of 'gpt-4o' and 'gpt-4o-mini'"
    ) in result.output
    copied = {**alias("b", **USUAL), "litellm_params": group("gpt-4o-mini")["litellm_params"]}
    assert "warning" not in check(tmp_path, config(copied)).output


@pytest.mark.parametrize("section", ["router_settings", "litellm_settings"])
def test_check_warns_of_fallbacks_of_an_alias(tmp_path: Path, section: str) -> None:
    content = config(alias("a", **USUAL))
    content.setdefault(section, {})["context_window_fallbacks"] = [
        {"gpt-4o-mini": ["gpt-4o"]},
        {"a": ["gpt-4o"]},
    ]
    result = check(tmp_path, content)
    assert result.exit_code == 0
    assert (
        f"warning: {section}: not applied: what 'context_window_fallbacks' says of 'a', which is "
        "routed; write it for its groups 'gpt-4o' and 'gpt-4o-mini'\n"
    ) in result.output
    content[section]["context_window_fallbacks"].pop()
    assert "warning" not in check(tmp_path, content).output


def test_check_warns_of_an_alias_in_a_routing_group(tmp_path: Path) -> None:
    groups = [{"group_name": "g", "models": ["gpt-4o", "a"], "routing_strategy": "least-busy"}]
    content = {**config(alias("a", **USUAL)), "router_settings": {"routing_groups": groups}}
    result = check(tmp_path, content)
    assert result.exit_code == 0
    assert (
        "warning: router_settings: not applied: what 'routing_groups' says of 'a', which is "
        "routed; name its groups 'gpt-4o' and 'gpt-4o-mini' there"
    ) in result.output


def test_check_fails_with_a_line_for_each_mistake(tmp_path: Path) -> None:
    result = check(tmp_path, config(alias("a", threshold=2), alias("b")))
    assert result.exit_code == 2
    assert [line[:27] for line in result.output.splitlines()] == [
        "error: model_list entry 'a'",
        "error: model_list entry 'b'",
    ]


@pytest.mark.parametrize("settings", [{}, {"callbacks": "prometheus"}, {"callbacks": ["otel"]}])
def test_check_misses_the_callback(tmp_path: Path, settings: dict[str, Any]) -> None:
    content = {**config(alias("a", **USUAL)), "litellm_settings": settings}
    result = check(tmp_path, content)
    assert result.exit_code == 2
    assert f"write callbacks: [{HANDLER}]" in result.output


def test_check_follows_includes_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONG", "gpt-4o")
    included = {"model_list": [alias("a", **{**USUAL, "strong": "os.environ/STRONG"})]}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(included))
    assert check(tmp_path, {**config(), "include": ["more.yaml"]}).exit_code == 0
    monkeypatch.delenv("STRONG")
    result = check(tmp_path, {**config(), "include": ["more.yaml"]})
    assert "'strong' is 'os.environ/STRONG'" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model_list: [", "is not YAML"),
        ("- a", "must hold a mapping"),
        ("model_list: {}", "no model_list entry has model_info.routellm"),
        ("model_list: x", "'model_list' must be a list"),
        ("include: [none.yaml]", "cannot read"),
        (
            "model_list:\n  - model_info: {routellm: {strong_share: 0.3, strong_share: 0.9}}",
            "has the key 'strong_share' twice in the mapping that begins on line 2: keep one",
        ),
        ("router_settings: {model_group_alias: [a]}", "'model_group_alias' must be a mapping"),
        ("router_settings: {model_group_alias: {1: a}}", "'model_group_alias' must be a mapping"),
        (f"{ROUTED}litellm_settings: {{callbacks: 5}}", "'callbacks' must be a list such as ["),
    ],
)
def test_files_that_are_no_config(tmp_path: Path, content: str, message: str) -> None:
    result = check(tmp_path, content)
    assert result.exit_code != 0
    assert message in str(result.exception)


def test_the_example_is_right() -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE)])
    assert result.exit_code == 0, result.output
