"""Configs that `routellm check` reads, and what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from routellm_plugins.cli import app
from routellm_plugins.litellm.config.report import check_config
from tests.litellm.configs import HANDLER

USUAL = {"router": "length", "threshold": 0.5}


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
