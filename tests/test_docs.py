"""The docs say what is so: hooks as specified, samples that run, links that lead somewhere."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path
from types import ModuleType

import pytest

from routellm_core import RoutingPolicy, hookspecs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PLUGIN_PAGE = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")


def test_every_hook_is_documented_with_its_arguments():
    documented = re.findall(r"^### `(routellm_\w+\(.*\))`$", PLUGIN_PAGE, re.MULTILINE)
    specified = [
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("routellm_")
    ]
    assert documented == specified


def test_the_plugin_page_runs(capsys):
    samples = re.findall(r"```python\n(.*?)```", PLUGIN_PAGE, re.DOTALL)
    assert len(samples) == 4
    module = ModuleType("routellm_length")
    sys.modules["routellm_length"] = module
    try:
        exec(samples[0], vars(module))
        exec(samples[1], {})
    finally:
        del sys.modules["routellm_length"]
    assert capsys.readouterr().out == "length weak 0.025\n"


def test_the_score_samples_run(plugin):
    sample = re.findall(r"```python\n(.*?)```", PLUGIN_PAGE, re.DOTALL)[2]
    names: dict[str, type] = {}
    exec(sample, names)
    plugin(names["Legal"]())
    plugin(names["Sharper"]())
    policy = RoutingPolicy("random", threshold=0.5)
    assert policy.decide("a contract").score == 1.0
    plain = policy._router.score(["hello"])[0]
    assert policy.decide("hello").score == pytest.approx(plain**2)


def test_the_sample_of_the_contract_runs(tmp_path):
    samples = re.findall(r"```python\n(.*?)```", PLUGIN_PAGE, re.DOTALL)
    (tmp_path / "routellm_length.py").write_text(samples[0])
    (tmp_path / "test_length.py").write_text(samples[3])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_length.py"]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert "13 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_extras_named_in_the_docs_exist():
    extras = metadata("routellm-plugins").get_all("Provides-Extra") or []
    named = {
        extra
        for page in PAGES
        for group in re.findall(r"routellm-plugins\[([\w,-]+)\]", page.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named <= set(extras)
