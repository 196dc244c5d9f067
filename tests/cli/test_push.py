"""`routellm push`, and a checkpoint that is loaded from where it was pushed; the hub is a stand-in
on loopback.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from routellm_core.checkpoints.store import BUNDLED
from tests.cli.command import routellm
from tests.fakes.hub import Hub, serving

PROMPT = "Why is the sky blue?"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with serving() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Path(shutil.copytree(BUNDLED / "mf", tmp_path / "mine"))
    (made / "calibration.json").write_text("{}")
    (made / "notes.docx").write_text("not for others")
    return made


def run(
    hub: Hub, tmp_path: Path, *args: str, token: str = "hf_x"
) -> subprocess.CompletedProcess[str]:
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": token}
    return routellm(*args, timeout=120, **env, HF_HUB_DISABLE_XET="1")


def test_what_is_pushed_scores_as_it_did(hub: Hub, folder: Path, tmp_path: Path):
    done = run(hub, tmp_path, "push", str(folder), "me/router")
    assert done.returncode == 0, done.stderr
    name = done.stdout.strip().removeprefix("pushed: checkpoint: ")
    assert name == f"me/router@{hub.commit('me/router')}"
    assert hub.private["me/router"]
    files = hub.files["me/router"]
    assert "notes.docx" not in files
    assert "calibration.json" in files
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads(files["config.json"])["weights_sha256"] == digest
    assert digest in files["README.md"].decode()
    assert files["README.md"].startswith(b"---\n")
    scored = [
        run(hub, tmp_path, "score", PROMPT, "--checkpoint", each, "--threshold", "0.5").stdout
        for each in (str(folder), name, "me/router")
    ]
    assert scored[0]
    assert scored[0] == scored[1] == scored[2]


def test_weights_that_are_not_those_of_the_digest_are_refused(
    hub: Hub, folder: Path, tmp_path: Path
):
    assert run(hub, tmp_path, "push", str(folder), "me/changed").returncode == 0
    files = hub.files["me/changed"]
    files["model.safetensors"] = files["model.safetensors"][:-1] + b"\x01"
    done = run(hub, tmp_path, "score", PROMPT, "--checkpoint", "me/changed", "--threshold", "0.5")
    assert done.returncode == 2
    assert "is not what config.json says" in done.stderr


def test_a_public_repository_is_not_filled_by_accident(hub: Hub, folder: Path, tmp_path: Path):
    assert run(hub, tmp_path, "push", str(folder), "me/open", "--public").returncode == 0
    assert not hub.private["me/open"]
    done = run(hub, tmp_path, "push", str(folder), "me/open")
    assert done.returncode == 2
    assert "is public: say so with --public" in done.stderr


def test_mistakes_are_one_line(hub: Hub, folder: Path, tmp_path: Path):
    done = run(hub, tmp_path, "push", str(folder), "router")
    assert done.returncode == 2
    assert "write owner/name" in done.stderr
    (tmp_path / "empty").mkdir()
    done = run(hub, tmp_path, "push", str(tmp_path / "empty"), "me/nothing")
    assert done.returncode == 2
    assert "is missing" in done.stderr
    done = run(hub, tmp_path, "score", PROMPT, "--checkpoint", "me/nowhere", "--threshold", "0.5")
    assert done.returncode == 2
    assert "'me/nowhere' could not be fetched" in done.stderr


def test_what_to_do_depends_on_whether_the_hub_was_reached(hub: Hub, folder: Path, tmp_path: Path):
    done = run(hub, tmp_path, "push", str(folder), "me/router", token="")
    assert done.returncode == 2
    assert "set HF_TOKEN to a token that may write there" in done.stderr
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_x"}
    done = routellm("push", str(folder), "me/router", timeout=120, **env, HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert "it was not reached, so check the network, HF_ENDPOINT and HF_HUB_OFFLINE" in done.stderr
    assert "HF_TOKEN" not in done.stderr
