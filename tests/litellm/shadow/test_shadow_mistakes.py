"""Mistakes in the settings of shadow mode are told before there is traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import routellm
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.shadow.entries import observed, shadow

MISTAKES = [
    ({"shadow": {"sample": 2, "budget_usd": 1, "store": "x.db"}}, "shadow: 'sample' is 2"),
    ({"shadow": {"sampel": 0.1}}, "unknown key 'sampel': did you mean 'sample'"),
    ({"shadow": True}, "'shadow' must be a mapping such as"),
    ({"observe": True}, "'observe' needs to know where to"),
    (
        {"observe": True, "shadow": {"sample": 0.1, "budget_usd": 1, "store": "x.db"}},
        "'observe' is for the entry of a model group",
    ),
]


@pytest.mark.parametrize(("settings", "advice"), MISTAKES, ids=[each[1] for each in MISTAKES])
def test_mistakes_are_reported_before_traffic(
    strong: Upstream, weak: Upstream, tmp_path: Path, settings: dict[str, Any], advice: str
) -> None:
    entry = alias("mine", strong_share=0.3, **settings)
    done = _checked(tmp_path, [group("gpt-4o", strong), group("gpt-4o-mini", weak), entry])
    assert done.returncode == 2
    assert advice in " ".join(done.stderr.split())


def test_mistakes_in_an_observed_group_are_reported(
    strong: Upstream, weak: Upstream, tmp_path: Path
) -> None:
    guarded = group("gpt-4o-mini", weak)
    guarded["litellm_params"]["guardrails"] = ["no-names"]
    settings = {"weak": "gpt-4o-mini", "strong_share": 0.3, "shadow": shadow(tmp_path, "x")}
    wrong = observed(group("plain", strong), strong="gpt-4o", **settings)
    unguarded = observed(group("gpt-4o", strong), strong="gpt-4o", **settings)
    done = _checked(tmp_path, [unguarded, guarded, wrong])
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "one of 'strong' and 'weak' must be 'plain', which is observed" in said
    assert "give no-names to both" in said


def test_an_observed_group_is_in_the_table_of_check(
    strong: Upstream, weak: Upstream, tmp_path: Path
) -> None:
    settings = {"weak": "gpt-4o-mini", "strong_share": 0.3, "shadow": shadow(tmp_path, "x")}
    plain = observed(group("gpt-4o", strong), strong="gpt-4o", **settings)
    done = _checked(tmp_path, [plain, group("gpt-4o-mini", weak)])
    assert done.returncode == 0, done.stderr
    assert "(observed)" in done.stdout
    assert not (tmp_path / "x.db").exists()


def _checked(folder: Path, entries: list[dict[str, Any]]) -> Any:
    config = {"model_list": entries, "litellm_settings": {"callbacks": [HANDLER]}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return routellm("check", "--config", str(path), LITELLM_MASTER_KEY=KEY)
