"""The bert router: scores of the original release, batches, and checkpoints that do not fit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file

from routellm_core import CheckpointError, RoutingPolicy, ScoringError, load_router
from routellm_core.checkpoints.store import CONFIG, DESCRIPTION, WEIGHTS
from routellm_core.routers.bert.classifier import BERTRouter
from routellm_core.routers.transformer.pretrained import TOKENIZER
from tests.fakes.transformer_checkpoints import write_bert

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
PARITY = DATA.parent / "parity" / "bert"

PROMPTS = ["why?", "what is 2 + 2?", "", "prove that " + "p is prime and " * 9, "a", "why? " * 400]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder, score_quantiles=[0.1, 0.4, 0.9])
    return folder


@pytest.fixture(scope="module")
def router(whole: Path) -> BERTRouter:
    return BERTRouter.from_pretrained(str(whole), device="cpu")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.skipif(not PARITY.is_dir(), reason="the reference outputs are not here")
def test_scores_are_those_of_the_original_release() -> None:
    router = BERTRouter.from_pretrained(str(PARITY))
    cases = json.loads((PARITY / "expected.json").read_text())["cases"]
    scores = router.score([case["prompt"] for case in cases])
    assert scores == pytest.approx([case["win_rate"] for case in cases], abs=1e-4)
    assert router.score_quantiles is None


def test_a_score_is_the_chance_of_the_first_label(whole: Path, router: BERTRouter) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(whole).eval()
    given = AutoTokenizer.from_pretrained(whole)(PROMPTS[1], return_tensors="pt")
    with torch.no_grad():
        chances = model(**given).logits[0].softmax(0)
    assert router.score([PROMPTS[1]])[0] == pytest.approx(1 - float(chances[1:].sum()), abs=1e-6)
    assert router.outcomes([PROMPTS[1]])[0] == pytest.approx(chances.tolist(), abs=1e-6)


def test_a_batch_gives_what_its_prompts_give_alone(router: BERTRouter) -> None:
    prompts = [f"{number} {PROMPTS[number % len(PROMPTS)]}" for number in range(150)]
    alone = [router.score([prompt])[0] for prompt in prompts]
    assert router.score(prompts) == pytest.approx(alone, abs=1e-6)
    assert np.ptp(alone) > 0.01
    assert router.score([]).shape == (0,)


def test_prompts_alike_in_length_share_a_pass(
    router: BERTRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[Any] = []
    forward = router._model.forward

    def watched(**given: Any) -> Any:
        shapes.append(given["input_ids"].shape)
        return forward(**given)

    monkeypatch.setattr(router._model, "forward", watched)
    router.score((["a"] * 50 + ["why? " * 400] * 7) * 10)
    assert [tuple(shape) for shape in shapes] == [(64, 64), (64, 64), (442, 3)]


def test_odd_prompts_get_a_win_rate(router: BERTRouter) -> None:
    odd = ["", " \n", "\ud800", "🤷" * 9000, "x" * 10_000_000, "\0", "[CLS] [PAD]"]
    scores = router.score(odd)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores == pytest.approx([router.score([prompt])[0] for prompt in odd], abs=1e-6)


def test_threads_do_not_disturb_each_other(router: BERTRouter) -> None:
    alone = router.score(PROMPTS)
    with ThreadPoolExecutor(8) as pool:
        for scores in pool.map(router.score, [PROMPTS] * 40):
            assert scores == pytest.approx(alone, abs=1e-6)


def test_a_share_becomes_a_threshold(whole: Path) -> None:
    policy = RoutingPolicy("bert", strong_share=0.5, router_options={"checkpoint": str(whole)})
    assert policy.threshold == pytest.approx(0.4)
    assert not load_router("bert", checkpoint=str(whole)).instant


def test_half_precision_on_disk_is_computed_in_full(folder: Path, router: BERTRouter) -> None:
    weights = {name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    stored = BERTRouter.from_pretrained(str(folder), device="cpu")
    assert stored.score(PROMPTS) == pytest.approx(router.score(PROMPTS), abs=1e-2)
    alone = [stored.score([prompt])[0] for prompt in PROMPTS]
    assert stored.score(PROMPTS) == pytest.approx(alone, abs=1e-6)
    assert stored.fingerprint != router.fingerprint


def test_the_fingerprint_names_what_scores_depend_on(folder: Path, router: BERTRouter) -> None:
    assert BERTRouter.from_pretrained(str(folder)).fingerprint == router.fingerprint
    said = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps({**said, "max_length": 32}))
    assert BERTRouter.from_pretrained(str(folder)).fingerprint != router.fingerprint


def test_of_a_long_prompt_the_first_and_the_last_tokens_are_read(
    folder: Path, router: BERTRouter, tmp_path: Path
) -> None:
    filler = "word " * 200
    asked = [filler + "why", filler + "how", "why " + filler, "why " + filler * 40 + filler]
    scores = router.score(asked)
    assert len(set(scores[:3])) == 3
    assert scores[2] == scores[3]
    # As the original release, which describes no length, reads them.
    released = Path(shutil.copytree(folder, tmp_path / "released"))
    (released / DESCRIPTION).unlink()
    first = BERTRouter.from_pretrained(str(released)).score(asked)
    assert first[0] == first[1]
    assert first[0] != first[2]


def test_a_model_in_memory_is_scored_with(router: BERTRouter) -> None:
    made = BERTRouter(router._model, router._tokenizer, 64)
    assert made.score(PROMPTS).tolist() == router.score(PROMPTS).tolist()


def test_nan_is_no_score(router: BERTRouter) -> None:
    model = deepcopy(router._model)
    with torch.no_grad():
        model.classifier.bias[0] = torch.nan
    with pytest.raises(ScoringError, match="restore its weights"):
        BERTRouter(model, router._tokenizer, 64).score(["hi"])


def _edit(name: str, **changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        said = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**said, **changes}))

    return edit


def _tensors(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        change(weights)
        save_file(weights, folder / WEIGHTS, {"format": "pt"})

    return edit


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def _cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-40])


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "is damaged"),
        (_pickled, rf"{WEIGHTS} is missing \(pickled weights are not read\)"),
        (lambda folder: (folder / TOKENIZER).unlink(), f"{TOKENIZER} is missing"),
        (lambda folder: (folder / TOKENIZER).write_text("{}"), "cannot be read by transformers"),
        (lambda folder: (folder / CONFIG).unlink(), f"{CONFIG} is missing"),
        (lambda folder: (folder / CONFIG).write_text("{"), "is damaged"),
        (_tensors(lambda weights: weights.pop(QUERY)), f"has no tensor '{QUERY}'"),
        (_tensors(lambda weights: weights.pop("classifier.bias")), r"'classifier\.bias'"),
        (_tensors(lambda weights: weights[QUERY].fill_(torch.nan)), "holds NaN or infinity"),
        (_edit(CONFIG, hidden_size=32), "cannot be read by transformers"),
        (_edit(CONFIG, num_hidden_layers=1), r"has no place for"),
        (_edit(DESCRIPTION, router="causal_llm"), "of router 'causal_llm', not of 'bert'"),
        (_edit(DESCRIPTION, max_length=65), "max_length 65, but the model has 64 positions"),
        (_edit(DESCRIPTION, max_length=None), f"{DESCRIPTION} is damaged"),
        (_edit(DESCRIPTION, score_quantiles=[0.9, 0.1]), f"{DESCRIPTION} is damaged"),
        (_edit(DESCRIPTION, score_quantiles=[0, 2]), f"{DESCRIPTION} is damaged"),
        (lambda folder: (folder / DESCRIPTION).write_text("{"), f"{DESCRIPTION} is damaged"),
    ],
)
def test_damage_is_reported_at_load(
    folder: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as told:
        BERTRouter.from_pretrained(str(folder))
    assert str(folder) in str(told.value)


def test_another_number_of_labels_is_refused(tmp_path: Path) -> None:
    write_bert(tmp_path, labels=2)
    with pytest.raises(CheckpointError, match="has 2 labels where 3 are expected"):
        load_router("bert", checkpoint=str(tmp_path))


def test_another_models_tokenizer_is_refused(folder: Path) -> None:
    said = json.loads((folder / TOKENIZER).read_text())
    said["model"]["vocab"]["more"] = len(said["model"]["vocab"])
    (folder / TOKENIZER).write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match=r"has \d+ tokens and the model of"):
        BERTRouter.from_pretrained(str(folder))


def test_as_many_score_at_once_as_torchs_threads_leave_cores(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    for threads, calls in ((4, 4), (16, 2)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert BERTRouter.from_pretrained(folder, device="cpu").concurrency == calls


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named(package: str) -> None:
    code = (
        f"import sys; sys.modules['{package}'] = None; from routellm_core import load_router;"
        "load_router('bert', checkpoint='.')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"needs {package}" in result.stderr
    assert "routellm-plugins[torch]" in result.stderr
