"""A LiteLLM that nobody tested this package with is told of, in one line."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from litellm import Router
from typer.testing import CliRunner

from routellm_plugins.cli import app
from routellm_plugins.litellm import install
from routellm_plugins.litellm.config import versions
from routellm_plugins.litellm.config.versions import TESTED, version_warning
from tests.litellm.application.shared import WARNINGS
from tests.litellm.configs import HANDLER, MARKER

pytestmark = WARNINGS

DOCS = Path(__file__).parents[3] / "docs/litellm.md"
NEWER = (
    f"litellm 1.234.5 is newer than what is known to work, routellm-plugins was tested with "
    f"{TESTED[0]} to {TESTED[1]}: try your requests before traffic, or pip install "
)


def model_list() -> list[dict[str, Any]]:
    groups = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "unused"}}
        for name in ("gpt-4o", "gpt-4o-mini")
    ]
    routing = {"strong": "gpt-4o", "weak": "gpt-4o-mini", "strong_share": 0.3}
    alias = {"model_name": "smart", "litellm_params": MARKER, "model_info": {"routellm": routing}}
    return [*groups, alias]


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda name: "1.234.5")


@pytest.mark.parametrize("installed", [*TESTED, "1.105.3", "1.110.99", "1.108.0.dev1"])
def test_nothing_is_said_of_tested_releases(installed: str) -> None:
    assert version_warning(installed) is None


def test_the_installed_release_is_tested() -> None:
    assert version_warning() is None


def test_a_release_that_is_too_old() -> None:
    assert version_warning("1.99.9") == (
        f"litellm 1.99.9 is too old, routellm-plugins was tested with {TESTED[0]} to {TESTED[1]}: "
        f"pip install 'litellm>={TESTED[0]}'"
    )


def test_nothing_is_said_where_litellm_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", missing)
    assert version_warning() is None


@pytest.mark.usefixtures("newer")
def test_check_tells_of_a_newer_release(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    content = {"model_list": model_list(), "litellm_settings": {"callbacks": [HANDLER]}}
    path.write_text(yaml.safe_dump(content))
    result = CliRunner().invoke(app, ["check", "--config", str(path)])
    assert result.exit_code == 0, result.output
    (warning,) = (line for line in result.stderr.splitlines() if line.startswith("warning:"))
    assert warning.startswith(f"warning: {NEWER}")


@pytest.mark.usefixtures("newer")
def test_an_application_logs_it(caplog: pytest.LogCaptureFixture) -> None:
    router = Router(model_list=model_list())
    try:
        with caplog.at_level(logging.WARNING):
            install(router)
        (record,) = (r for r in caplog.records if "litellm 1.234.5" in r.message)
        assert record.message.startswith(NEWER)
    finally:
        router.discard()


def test_the_docs_name_the_releases() -> None:
    named = re.findall(r"1\.1\d\d\.\d+", DOCS.read_text().split("\n## ", 1)[0])
    assert (named[0], named[-1]) == TESTED
