"""Each mistake in a config is reported in one line that names the entry and what to write."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from routellm_plugins.cli import app
from routellm_plugins.litellm.config.report import check_config
from tests.cli.command import routellm
from tests.fakes import routers
from tests.litellm.configs import HANDLER, MARKER, alias

ENTRY = "model_list entry 'gpt-4o-router': "
EXAMPLE = Path(__file__).parents[3] / "examples/litellm/config.yaml"
USUAL = {"router": "length", "threshold": 0.5}
ROUTED = """
model_list:
  - {model_name: gpt-4o}
  - {model_name: gpt-4o-mini}
  - model_name: a
    litellm_params: {model: openai/routellm}
    model_info: {routellm: {strong: gpt-4o, weak: gpt-4o-mini, router: random, threshold: 0.5}}
"""

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (
        {"router": "random", "threshhold": 0.3, "strong_share": 0.3},
        "unknown key 'threshhold': did you mean 'threshold'?",
    ),
    "unknown router": (
        {"router": "randon", "threshold": 0.3},
        "no router named 'randon': did you mean 'random'?",
    ),
    "threshold out of range": (
        {"threshold": 1.7},
        "'threshold' is 1.7: input should be less than or equal to 1",
    ),
    "strong model that is no model group": (
        {"router": "random", "threshold": 0.3, "strong": "gpt-4"},
        "'strong' is 'gpt-4', but no model_list entry has that model_name: did you mean 'gpt-4o'?",
    ),
    "both threshold and strong_share": (
        {"threshold": 0.3, "strong_share": 0.3},
        "both 'threshold' and 'strong_share' are set: keep one of them",
    ),
    "neither threshold nor strong_share": (
        {"router": "random"},
        "neither 'strong_share' nor 'threshold' is set: write strong_share: 0.3 to send about "
        "30 % of usual traffic to the strong model",
    ),
    "router option that does not exist": (
        {"router": "random", "threshold": 0.3, "router_options": {"sed": 1}},
        "router 'random' has no option 'sed': did you mean 'seed'?",
    ),
    "router that was never calibrated": (
        {"router": "length", "strong_share": 0.3},
        "router 'length' was never calibrated, so 'strong_share' cannot be turned into a "
        "threshold: set 'threshold' instead",
    ),
    "router that cannot be made": (
        {"router": "unmakable", "threshold": 0.3},
        "router 'unmakable' cannot be loaded (ZeroDivisionError: division by zero)",
    ),
    "alias as model": (
        {**USUAL, "strong": "gpt-4o-router"},
        "'strong' is 'gpt-4o-router', which is routed itself: name a model group",
    ),
    "the same model twice": (
        {**USUAL, "strong": "gpt-4o-mini"},
        "'strong' and 'weak' are both 'gpt-4o-mini': name two model groups",
    ),
    "two mistakes at once": (
        {"threshold": "high", "weak": "mini"},
        "'threshold' is 'high': input should be a valid number, unable to parse string as a "
        "number; 'weak' is 'mini', but no model_list entry has that model_name: known: gpt-4o, "
        "gpt-4o-mini",
    ),
    "limits that are none": (
        {**USUAL, "allow_override": True},
        "'allow_override' is True: write false, or the least and the largest threshold: "
        "{min: 0.3, max: 0.9}",
    ),
    "an unknown limit": (
        {**USUAL, "allow_override": {"mni": 0.3}},
        "'allow_override' is {'mni': 0.3}: unknown key 'mni': did you mean 'min'?",
    ),
    "a limit out of range": (
        {**USUAL, "allow_override": {"max": 7}},
        "'allow_override' is {'max': 7}: 'max' is 7: write a threshold from 0 to 1",
    ),
    "calibrations that are none": (
        {**USUAL, "allow_override": {"calibrations": ["a.json"]}},
        "'allow_override' is {'calibrations': ['a.json']}: 'calibrations' are files by the names "
        "that requests use: write {careful: careful.json, cheap: cheap.json}",
    ),
    "a calibration that cannot be read": (
        {**USUAL, "allow_override": {"calibrations": {"careful": "/no/careful.json"}}},
        "calibration /no/careful.json cannot be read (No such file or directory): make it again "
        "with `routellm calibrate --out`",
    ),
    "limits the wrong way round": (
        {**USUAL, "allow_override": {"min": 0.9, "max": 0.3}},
        "'allow_override' is {'min': 0.9, 'max': 0.3}: 'min' is above 'max': write "
        "{min: 0.3, max: 0.9}",
    ),
}


@pytest.fixture(autouse=True)
def _fake_routers(plugin: Any) -> None:
    plugin(routers)


def group(name: str) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": f"openai/{name}"}}


def config(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_list": [group("gpt-4o"), group("gpt-4o-mini"), *entries],
        "litellm_settings": {"callbacks": [HANDLER]},
    }


def problems(*entries: dict[str, Any], **sections: Any) -> list[str]:
    return check_config({**config(*entries), **sections}).problems


def check(tmp_path: Path, content: object) -> Any:
    path = tmp_path / "config.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return CliRunner().invoke(app, ["check", "--config", str(path)])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_an_entry(mistake: str) -> None:
    settings, line = MISTAKES[mistake]
    assert problems(alias("gpt-4o-router", **settings)) == [ENTRY + line]


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    options = {"router_options": {"checkpoint": str(tmp_path)}, "threshold": 0.5}
    (line,) = problems(alias("gpt-4o-router", **options))
    assert line.startswith(f"{ENTRY}{tmp_path}")
    assert "\n" not in line
    (line,) = problems(alias("a", router_options={"checkpoint": "./nowhere"}, threshold=0.5))
    assert line.startswith("model_list entry 'a': ")
    assert "nowhere" in line


@pytest.mark.parametrize("value", [None, "gpt-4o", ["gpt-4o", "gpt-4o-mini"]])
def test_settings_that_are_no_mapping(value: object) -> None:
    entry = {**alias("gpt-4o-router"), "model_info": {"routellm": value}}
    expected = "model_info.routellm must be a mapping such as {strong: gpt-4o, weak: gpt-4o-mini, "
    assert problems(entry) == [f"{ENTRY}{expected}strong_share: 0.3}}"]


def test_a_marker_without_settings() -> None:
    (line,) = problems({"model_name": "gpt-4o-router", "litellm_params": MARKER})
    assert line.startswith(f"{ENTRY}model_info.routellm must be a mapping")


def test_missing_models() -> None:
    entry = alias("gpt-4o-router", **USUAL)
    del entry["model_info"]["routellm"]["weak"]
    assert problems(entry) == [f"{ENTRY}'weak' is missing"]


def test_mistakes_in_names() -> None:
    twice = problems(alias("a", **USUAL), alias("a", **USUAL))
    assert twice == [
        "model_list entry 'a': there are several routed entries of that name: keep one"
    ]
    (shared,) = problems(alias("gpt-4o", strong="gpt-4o-mini", weak="gpt-4o-mini", **USUAL))
    assert "an ordinary model group has the same name" in shared
    (star,) = problems(alias("*"))
    assert star.endswith("a routed wildcard must begin with router-: write model_name: router-*")


def test_an_entry_of_one_team() -> None:
    entry = alias("gpt-4o-router", **USUAL)
    entry["model_info"]["team_id"] = "sales"
    assert problems(entry) == [
        f"{ENTRY}'team_id' keeps an entry for one team, and groups are the proxy's: leave it out, "
        "and add the alias to the models of that team"
    ]


def test_a_wildcard_leaves_router_and_threshold_to_the_name() -> None:
    assert problems(alias("router-*", on_error="weak")) == []
    (line,) = problems(alias("router-*", router="mf", threshold=0.2))
    assert line.startswith("model_list entry 'router-*': remove 'router' and 'threshold'")


def test_all_mistakes_of_a_config_are_reported() -> None:
    lines = problems(alias("a", threshold=2), alias("b", router="nope", threshold=0), alias("c"))
    assert [line.split("'")[1] for line in lines] == ["a", "c", "b"]


def test_groups_known_by_other_means() -> None:
    named = {**USUAL, "strong": "openai/o3"}
    assert len(problems(alias("a", **named))) == 1
    assert problems(group("openai/*"), alias("a", **named)) == []
    assert problems(alias("a", **named), general_settings={"store_model_in_db": True}) == []
    named["strong"] = "best"
    aliases = {"model_group_alias": {"best": "gpt-4o"}}
    assert problems(alias("a", **named), router_settings=aliases) == []


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


def test_a_pattern_whose_names_may_set_nothing(tmp_path: Path) -> None:
    (line,) = problems(alias("router-*", allow_override=False))
    assert "'allow_override' is false, but with a * in model_name" in line


def test_a_pattern_offers_no_calibrations() -> None:
    (line,) = problems(alias("router-*", allow_override={"calibrations": {"a": "a.json"}}))
    assert "remove 'calibrations' from 'allow_override'" in line


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


PAIR = {"strong": "gpt-4o", "weak": "gpt-4o-mini", "strong_share": 0.3}
WEAK = group("gpt-4o-mini")["litellm_params"]


@pytest.mark.parametrize("params", [MARKER, WEAK])
@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"routellm": PAIR}, "'routellm' is in the entry itself: write it in 'model_info'"),
        (
            {"litellm_params": {"routellm": PAIR}},
            "'routellm' is in 'litellm_params': write it in 'model_info'",
        ),
        (
            {"model_info": PAIR},
            "'strong' and 'weak' are in 'model_info': write model_info: {routellm: {...}}",
        ),
        (
            {"model_info": {"routelm": PAIR}},
            "unknown key 'routelm' in 'model_info': did you mean 'routellm'?",
        ),
        (
            {"model_info": {"RouteLLM": PAIR}},
            "unknown key 'RouteLLM' in 'model_info': did you mean 'routellm'?",
        ),
    ],
)
def test_settings_where_nobody_reads_them(
    params: dict[str, Any], parts: dict[str, Any], line: str
) -> None:
    own = {**params, **parts.get("litellm_params", {})}
    entry = {"model_name": "gpt-4o-router", **parts, "litellm_params": own}
    assert problems(alias("a", **USUAL), entry) == [ENTRY + line]


def test_ordinary_entries_are_no_mistakes() -> None:
    info = {"strong": True, "weak": ["x"], "pair": PAIR, "notes": {"strong": "x"}}
    assert problems(alias("a", **USUAL), {**group("plain"), "model_info": info}) == []


@pytest.mark.parametrize(
    ("name", "line"), [({}, "is missing"), ({"model_name": 4}, 'is 4: write it in quotes, "4"')]
)
def test_a_routed_entry_without_a_name(name: dict[str, Any], line: str) -> None:
    entry = {**{k: v for k, v in alias("a", **USUAL).items() if k != "model_name"}, **name}
    assert problems(alias("b", **USUAL), entry) == [f"model_list entry 4: 'model_name' {line}"]


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


def test_the_form_in_the_readme_is_accepted() -> None:
    entry = """
      - model_name: gpt-4o
      - model_name: gpt-4o-mini
      - model_name: gpt-4o-router
        litellm_params: {model: openai/routellm, api_key: unused}
        model_info: {routellm: {strong: gpt-4o, weak: gpt-4o-mini, router: mf, strong_share: 0.3}}
    """
    report = check_config({"model_list": yaml.safe_load(entry)})
    assert report.problems == []
    ((route, policy),) = report.routes
    assert route.name == "gpt-4o-router"
    assert policy is not None


def test_the_example_is_right() -> None:
    result = CliRunner().invoke(app, ["check", "--config", str(EXAMPLE)])
    assert result.exit_code == 0, result.output


def test_a_config_is_not_changed_by_checking() -> None:
    content = config(alias("a", **USUAL))
    before = copy.deepcopy(content)
    check_config(content)
    assert content == before
