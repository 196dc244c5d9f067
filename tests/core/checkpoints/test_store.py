"""Checkpoints on disk: round trip, and every kind of damage named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from routellm_core import CheckpointError
from routellm_core.checkpoints.store import (
    CONFIG,
    WEIGHTS,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
    write_whole,
)


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path, {"w": np.arange(6.0).reshape(2, 3).T}, {"a": 1}, card="# Card\n")
    return tmp_path


def test_round_trip(folder):
    tensors, config = load_checkpoint(folder, required=["w"])
    assert config == {"a": 1}
    assert np.array_equal(tensors["w"], np.arange(6.0).reshape(2, 3).T)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", CONFIG, WEIGHTS]
    assert find_checkpoint(str(folder)) == folder


def test_same_content_same_bytes(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    save_checkpoint(other, {"w": np.arange(6.0).reshape(2, 3).T}, {"a": 1})
    assert (other / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / WEIGHTS).unlink(), f"{WEIGHTS} is missing.*pickled weights are not read"),
        (lambda f: (f / CONFIG).unlink(), f"{CONFIG} is missing"),
        (lambda f: (f / CONFIG).write_text("{"), f"{CONFIG} is damaged"),
        (lambda f: (f / CONFIG).write_text("[]"), f"{CONFIG} is damaged"),
        (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe"), f"{CONFIG} is damaged"),
        (lambda f: (f / WEIGHTS).write_bytes(b"\x80\x04K\x01."), f"{WEIGHTS} is damaged"),
        (
            lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-4]),
            f"{WEIGHTS} is damaged",
        ),
    ],
)
def test_damage_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


def test_a_missing_tensor_is_named(folder):
    with pytest.raises(CheckpointError, match="no tensor 'v'"):
        load_checkpoint(folder, required=["w", "v"])


@pytest.mark.parametrize("name", [5, None, "", " "])
def test_a_checkpoint_without_a_name(name):
    with pytest.raises(CheckpointError, match=r"give a folder, .* or one of .*mf, static"):
        find_checkpoint(name)


@pytest.mark.parametrize("name", ["nf", "/no/such/folder", "./nowhere", "a/b/c"])
def test_an_unknown_checkpoint(name):
    with pytest.raises(CheckpointError, match=f"no checkpoint '{name}'"):
        find_checkpoint(name)


def test_two_may_write_the_same_file_at_once(tmp_path):
    path = tmp_path / "file"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: write_whole(path, bytes([at]) * 1000), range(200)))
    assert len(set(path.read_bytes())) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_take_its_place_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


class _Folder:
    """A path-like object that is no ``pathlib.Path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


def test_any_path_is_a_checkpoint(folder, monkeypatch):
    assert find_checkpoint(folder) == find_checkpoint(_Folder(folder)) == folder
    monkeypatch.chdir(folder.parent)
    assert find_checkpoint(Path(folder.name)) == folder


def test_a_path_is_neither_a_bundled_name_nor_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (Path("mf"), Path("owner/name")):
        with pytest.raises(CheckpointError, match=f"no checkpoint '{path}'"):
            find_checkpoint(path)
