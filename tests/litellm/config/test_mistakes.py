"""Each mistake in a config is reported in one line that names the entry and what to write."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from routellm_plugins.litellm.config.report import check_config
from tests.fakes import routers
from tests.litellm.config.checked import USUAL, config, group, problems
from tests.litellm.configs import MARKER, alias

ENTRY = "model_list entry 'gpt-4o-router': "

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


def test_a_pattern_whose_names_may_set_nothing(tmp_path: Path) -> None:
    (line,) = problems(alias("router-*", allow_override=False))
    assert "'allow_override' is false, but with a * in model_name" in line


def test_a_pattern_offers_no_calibrations() -> None:
    (line,) = problems(alias("router-*", allow_override={"calibrations": {"a": "a.json"}}))
    assert "remove 'calibrations' from 'allow_override'" in line


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


def test_the_form_in_the_readme_is_accepted() -> None:
    entry = """
      - model_name: gpt-4o
      - model_name: gpt-4o-mini
      - model_name: gpt-4o-router
        litellm_params: {model: openai/routellm, api_base: routellm://never-called, api_key: unused}
        model_info: {routellm: {strong: gpt-4o, weak: gpt-4o-mini, router: mf, strong_share: 0.3}}
    """
    report = check_config({"model_list": yaml.safe_load(entry)})
    assert report.problems == []
    ((route, policy),) = report.routes
    assert route.name == "gpt-4o-router"
    assert policy is not None


def test_a_config_is_not_changed_by_checking() -> None:
    content = config(alias("a", **USUAL))
    before = copy.deepcopy(content)
    check_config(content)
    assert content == before
