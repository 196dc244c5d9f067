"""Every command of "Set a threshold in five minutes" runs, on files as the page describes them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from routellm_core import RoutingPolicy
from routellm_core.rules.calibration import read_calibration

from .command import called

PAGE = (Path(__file__).parents[2] / "docs" / "thresholds.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## Set a threshold in five minutes\n")[1].split("\n## ")[0]
COMMANDS = re.findall(r"^\s*\$ (routellm .*)$", SECTION, re.MULTILINE)
ENTRY = re.search(r"^\s*(routellm: \{.*\})$", SECTION, re.MULTILINE)


def write_files(folder: Path) -> None:
    """Write prompts and pairs like the page's rows, many of them, and a config with its entry."""
    example, pair = (
        json.loads(line) for line in re.findall(r'^\s*(\{"prompt".*\})$', SECTION, re.MULTILINE)
    )
    assert example.keys() == {"prompt"}
    assert pair.keys() == {"prompt", "strong", "weak"}
    rng = np.random.default_rng(0)
    words = [
        "why",
        "is",
        "the",
        "sky",
        "blue",
        "prove",
        "it",
        "by",
        "hand",
        "in",
        "short",
        "steps",
        "with",
        "care",
    ]
    texts = [" ".join(rng.choice(words, rng.integers(3, 60))) for _ in range(800)]
    rows = [{**example, "prompt": text} for text in texts]
    pairs = [{**pair, "prompt": text, "weak": int(rng.random() > 0.2)} for text in texts]
    for name, content in (("prompts.jsonl", rows), ("pairs.jsonl", pairs)):
        lines = "".join(json.dumps(row) + "\n" for row in content)
        (folder / name).write_text(lines, encoding="utf-8")
    assert ENTRY is not None
    (folder / "config.yaml").write_text(
        f"""
model_list:
  - {{model_name: gpt-4o, litellm_params: {{model: openai/gpt-4o}}}}
  - {{model_name: gpt-4o-mini, litellm_params: {{model: openai/gpt-4o-mini}}}}
  - model_name: auto
    litellm_params: {{model: openai/routellm, api_base: routellm://never-called, api_key: unused}}
    model_info: {{{ENTRY[1]}}}
litellm_settings: {{callbacks: [routellm_plugins.litellm.proxy_handler]}}
""",
        encoding="utf-8",
    )


def test_the_commands_run_in_their_order(tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    pytest.importorskip("yaml")
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        done = called(*shlex.split(command)[1:])
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout
        if "--strong-share" in command:
            assert read_calibration("support.json").share == pytest.approx(0.3, abs=0.01)
            assert RoutingPolicy("mf", calibration="support.json").threshold
        if " check " in command:
            assert "support.json" in done.stdout
    assert read_calibration("support.json").guarantee


def test_the_options_on_the_page_are_those_of_the_command():
    part = PAGE.split("\n## `routellm calibrate`\n")[1].split("\n## ")[0]
    shown = called("calibrate", "--help").stdout
    known = set(re.findall(r"--[a-z0-9-]+", shown)) - {"--help"}
    assert set(re.findall(r"`(--[a-z0-9-]+)", part)) | {"--confidence"} == known
