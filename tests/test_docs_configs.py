"""The YAML in the docs is what LiteLLM's proxy, the routing settings and the trainers take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from routellm_core.training.shared.config import read_config
from routellm_core.training.trainers import find_trainer
from routellm_plugins.litellm.config.settings import parse_settings
from tests.cli.command import called

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    )
]
WHOLE = [block for block in BLOCKS if block.values[0].startswith("model_list:")]
PARTS = [block for block in BLOCKS if block not in WHOLE]
TRAINING = re.findall(
    r"```yaml\n(.*?)```", (ROOT / "docs/training.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.parametrize("block", WHOLE)
def test_a_whole_config_has_no_mistake(block: str, tmp_path: Path) -> None:
    pytest.importorskip("litellm.proxy")
    if "callbacks" not in block:
        block += "litellm_settings: {callbacks: [routellm_plugins.litellm.proxy_handler]}\n"
    config = tmp_path / "config.yaml"
    config.write_text(block, encoding="utf-8")
    done = called("check", "--config", str(config))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", PARTS)
def test_the_settings_of_an_entry_are_valid(block: str) -> None:
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load(f"weak: &weak {{}}\nblock:\n{block}" if "*weak" in block else block)
    for name, settings in _settings_in(content):
        parse_settings(settings, wildcard="*" in name)


def _settings_in(content: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return what is under each key ``routellm``, with the name of its entry."""
    if isinstance(content, list):
        return [found for item in content for found in _settings_in(item)]
    if not isinstance(content, dict):
        return []
    name = content.get("model_name", name)
    found = [(name, content["routellm"])] if "routellm" in content else []
    return found + [each for value in content.values() for each in _settings_in(value, name)]


@pytest.mark.parametrize(
    ("opening", "router"),
    [
        ("strong_model: big", "mf"),
        ("strong_model: big", "bert"),
        ("gamma: ", "sw_ranking"),
        ("encoder: ", "sw_ranking"),
        ("max_length: ", "bert"),
        ("max_length: ", "causal_llm"),
    ],
)
def test_a_training_configuration_is_valid(opening: str, router: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (block,) = (block for block in TRAINING if block.startswith(opening))
    (tmp_path / "config.yaml").write_text(block, encoding="utf-8")
    read_config(tmp_path / "config.yaml", find_trainer(router).config)
