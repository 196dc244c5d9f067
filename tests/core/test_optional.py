"""Packages that only an extra installs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from routellm_core import MissingExtraError
from routellm_core.optional import require


def test_what_is_installed_is_imported() -> None:
    assert require("json", "bert", "this test") is json


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    message = (
        r"^the router 'x' needs not_installed_here \(No module named 'not_installed_here'\): "
        r'pip install "routellm-plugins\[bert\]"$'
    )
    with pytest.raises(MissingExtraError, match=message):
        require("not_installed_here", "bert", "the router 'x'")


@pytest.mark.parametrize("name", ["proxy_handler", "install"])
def test_the_litellm_adapter_names_its_extra(name: str) -> None:
    script = (
        f"import sys; sys.modules['litellm'] = None; from routellm_plugins.litellm import {name}"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.endswith(f'{name} needs litellm: pip install "routellm-plugins[litellm]"\n')
