"""Damage to a checkpoint, of any kind, is reported at load: never a silent wrong score."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from routellm_core import CheckpointError
from routellm_core.checkpoints.store import CONFIG, DESCRIPTION, WEIGHTS, Tensors
from routellm_core.encoders.static import TOKENIZER, StaticEncoder
from routellm_core.routers.bert.classifier import BERTRouter
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from routellm_core.routers.mf.router import MatrixFactorizationRouter
from routellm_core.routers.sw_ranking.router import SWRankingRouter
from tests.fakes import checkpoints

SETTINGS = ["encoder", "encoder_fingerprint", "models", "strong_model", "weak_model"]


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint."""

    write: Callable[[Path], None]
    load: Callable[[str], Any]
    settings: tuple[str, ...]
    """What config.json must say."""
    json_files: tuple[str, ...] = (CONFIG,)
    """What it cannot do without, beside the weights."""
    of_any_length: tuple[str, ...] = ()
    """Tensors that may have fewer rows."""


KINDS = {
    "mf": Kind(
        checkpoints.mf,
        MatrixFactorizationRouter.from_pretrained,
        (*SETTINGS, "surface_version"),
        of_any_length=("traffic.features",),
    ),
    "sw_ranking": Kind(
        checkpoints.sw_ranking,
        SWRankingRouter.from_pretrained,
        (*SETTINGS, "surface_version", "num_tiers", "gamma"),
        of_any_length=("traffic",),
    ),
    "static": Kind(
        checkpoints.static, StaticEncoder.from_pretrained, ("fingerprint",), (CONFIG, TOKENIZER)
    ),
}
if find_spec("torch") and find_spec("transformers"):
    from tests.fakes.transformer_checkpoints import write_bert, write_causal_llm

    KINDS["bert"] = Kind(
        partial(write_bert, score_quantiles=[0.1, 0.9]),
        partial(BERTRouter.from_pretrained, device="cpu"),
        (),
        (CONFIG, TOKENIZER, DESCRIPTION),
    )
    KINDS["causal_llm"] = Kind(
        partial(write_causal_llm, max_length=256, score_quantiles=[0.1, 0.9]),
        partial(CausalLLMRouter.from_pretrained, device="cpu"),
        (),
        (CONFIG, TOKENIZER, DESCRIPTION),
    )


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kind(name: str) -> Kind:
    return KINDS[name]


@pytest.fixture(scope="module")
def whole(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / name
    KINDS[name].write(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / whole.name))


def _refusal(kind: Kind, folder: Path) -> str | None:
    """Return what a load is refused with; None if nothing is noticed."""
    try:
        kind.load(str(folder))
    except CheckpointError as error:
        return str(error)
    return None


def _tells(refusal: str | None, path: Path) -> bool:
    """Whether a refusal names the file, where it is, and what to do about it."""
    mends = ("restore", "reinstall", "train", "pickled weights are not read")
    return (
        refusal is not None
        and str(path.parent) in refusal
        and path.name in refusal
        and any(mend in refusal for mend in mends)
    )


def test_a_whole_one_loads(kind: Kind, folder: Path) -> None:
    assert kind.load(str(folder)).fingerprint == kind.load(str(folder)).fingerprint


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-100],
        lambda data: data[:50],
        lambda data: b"",
        lambda data: data + b"more",
        lambda data: pickle.dumps({"weight": [1.0]}),
        None,
    ],
    ids=["cut", "cut in the header", "empty", "longer", "a pickle", "gone"],
)
def test_weights_that_are_nan(
    kind: Kind, folder: Path, damage: Callable[[bytes], bytes] | None
) -> None:
    path = folder / WEIGHTS
    data = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(data))
    assert _tells(_refusal(kind, folder), path)


def test_a_pickle_is_never_opened(kind: Kind, folder: Path) -> None:
    class Opened:
        def __reduce__(self) -> Any:
            return (Path.touch, (folder / "opened",))

    (folder / WEIGHTS).unlink()
    for name in ("pytorch_model.bin", "model.pt", "model.pkl"):
        (folder / name).write_bytes(pickle.dumps(Opened()))
    assert _tells(_refusal(kind, folder), folder / WEIGHTS)
    assert not (folder / "opened").exists()


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"", b"\xff\xfe", b'{"a": 1', None],
    ids=["no JSON", "a list", "empty", "no UTF-8", "cut", "gone"],
)
def test_a_file_that_is_no_json(
    kind: Kind, whole: Path, folder: Path, content: bytes | None
) -> None:
    silent = []
    for name in kind.json_files:
        path = folder / name
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        refusal = _refusal(kind, folder)
        may_be_absent = name == DESCRIPTION and content is None
        if not _tells(refusal, path) and not may_be_absent:
            silent.append((name, refusal))
        shutil.copy(whole / name, path)
    assert silent == []


@pytest.mark.parametrize("instead", [[], [None]], ids=["missing", "null"])
def test_a_setting_that_is_none(
    kind: Kind, whole: Path, folder: Path, instead: list[object]
) -> None:
    config = json.loads((whole / CONFIG).read_text())
    silent = []
    for key in kind.settings:
        rest = {name: value for name, value in config.items() if name != key}
        rest.update((key, value) for value in instead)
        (folder / CONFIG).write_text(json.dumps(rest))
        refusal = _refusal(kind, folder)
        if not _tells(refusal, folder):
            silent.append((key, refusal))
    assert silent == []


def _some(tensors: Tensors) -> Tensors:
    """Return all of a few tensors, and of many about eight."""
    names = list(tensors)[:: max(1, len(tensors) // 8)]
    return {name: tensors[name] for name in names}


def _without(tensors: Tensors, of_any_length: tuple[str, ...]) -> Iterator[tuple[str, Tensors]]:
    for name in _some(tensors):
        yield name, {other: tensor for other, tensor in tensors.items() if other != name}


def _cut(tensors: Tensors, of_any_length: tuple[str, ...]) -> Iterator[tuple[str, Tensors]]:
    for name, tensor in _some(tensors).items():
        for axis in range(tensor.ndim):
            if axis or name not in of_any_length:
                shorter = np.ascontiguousarray(np.delete(tensor, 0, axis))
                yield f"{name}, axis {axis}", {**tensors, name: shorter}


def _no_numbers(tensors: Tensors, of_any_length: tuple[str, ...]) -> Iterator[tuple[str, Tensors]]:
    for name, tensor in _some(tensors).items():
        for number in (np.nan, np.inf):
            if tensor.dtype.kind == "f":
                damaged = tensor.copy()
                damaged.flat[-1] = number
                yield f"{name}, {number}", {**tensors, name: damaged}


@pytest.mark.parametrize("damage", [_without, _cut, _no_numbers])
def test_a_tensor_that_does_not_fit(
    kind: Kind, whole: Path, folder: Path, damage: Callable[..., Iterator[tuple[str, Tensors]]]
) -> None:
    silent, tried = [], 0
    for what, tensors in damage(load_file(whole / WEIGHTS), kind.of_any_length):
        save_file(tensors, folder / WEIGHTS)
        refusal = _refusal(kind, folder)
        tried += 1
        if not refusal or str(folder) not in refusal:
            silent.append((what, refusal))
    assert silent == []
    assert tried


@pytest.mark.parametrize("name", ["mf", "sw_ranking"], indirect=True)
@pytest.mark.parametrize(
    ("key", "value"), [("encoder_fingerprint", "static:0"), ("surface_version", 99)]
)
def test_features_of_another_encoder(kind: Kind, folder: Path, key: str, value: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, key: value}))
    with pytest.raises(CheckpointError, match=f"{value}.*train it again with"):
        kind.load(str(folder))


@pytest.mark.parametrize("name", ["sw_ranking"], indirect=True)
@pytest.mark.parametrize(
    ("tensor", "number"), [("first", 99), ("second", -1), ("p_first", 1.5), ("weight", 0.0)]
)
def test_a_number_that_cannot_be(kind: Kind, folder: Path, tensor: str, number: float) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[tensor][0] = number
    save_file(tensors, folder / WEIGHTS)
    assert _tells(_refusal(kind, folder), folder / WEIGHTS)
