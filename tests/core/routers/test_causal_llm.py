"""The causal_llm router in this process: the original release's scores, labels, long prompts."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from routellm_core import CheckpointError, ConfigError, load_router
from routellm_core.checkpoints.store import DESCRIPTION
from routellm_core.routers.causal_llm.prompt import CLASSIFIER, SYSTEM
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from tests.fakes.transformer_checkpoints import FIRST, LABELS, write_causal_llm

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
PARITY = DATA.parent / "parity" / "causal_llm"

PROMPTS = ["why?", "what is 2 + 2?", "", "prove that p is prime", "a", "why? " * 400, "é🤷 文"]

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

USER_ONLY = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causal_llm")
    write_causal_llm(folder, max_length=180, score_quantiles=[0.1, 0.4, 0.9])
    return folder


@pytest.fixture(scope="module")
def router(whole: Path) -> CausalLLMRouter:
    return CausalLLMRouter.from_pretrained(str(whole), device="cpu")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _greedy(folder: Path, text: str) -> tuple[list[int], list[Any]]:
    """Return what the model says after a text, token by token, and the logits of each."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    said, logits = [], []
    with torch.no_grad():
        for _ in range(6):
            logits.append(model(ids).logits[0, -1])
            said.append(int(logits[-1].argmax()))
            ids = torch.cat([ids, torch.tensor([said[-1:]])], dim=1)
    return said, logits


def _win_rate(folder: Path, logits: Any) -> float:
    numbers = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(LABELS)
    return 1 - float(logits[numbers].softmax(0)[3:].sum())


def _llama(question: str) -> str:
    return (
        "<|start_header_id|>system<|end_header_id|>\n\nRate the answer.<|eot_id|>"
        f"<|start_header_id|>user<|end_header_id|>\n\nQ: {question}\n\nRating:<|eot_id|>"
    )


@pytest.mark.skipif(not PARITY.is_dir(), reason="the reference outputs are not here")
def test_scores_are_those_of_the_original_release() -> None:
    router = CausalLLMRouter.from_pretrained(str(PARITY))
    cases = json.loads((PARITY / "expected.json").read_text())["cases"]
    prompts = [case["prompt"] for case in cases]
    scores = router.score(prompts)
    assert scores == pytest.approx([case["win_rate"] for case in cases], abs=1e-2)
    # Its weights are in bfloat16, where rounding would show.
    assert scores.tolist() == [router.score([prompt])[0] for prompt in prompts]
    assert router.score_quantiles is None


def test_a_label_that_comes_first_takes_one_pass(
    whole: Path, router: CausalLLMRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [_win_rate(whole, _greedy(whole, _llama(prompt))[1][0]) for prompt in PROMPTS[:5]]
    model = router._rater._model  # type: ignore[attr-defined]
    shapes: list[Any] = []
    forward = model.forward

    def watched(**given: Any) -> Any:
        answer = forward(**given)
        shapes.append((given["input_ids"].shape[0], answer.logits.shape[1]))
        return answer

    monkeypatch.setattr(model, "forward", watched)
    assert router.score(PROMPTS[:5]) == pytest.approx(expected, abs=1e-6)
    assert len(shapes) == 5
    assert router.score(["why?", "how?", "who??"])[0] == pytest.approx(expected[0], abs=1e-6)
    assert shapes[5:] == [(1, 1), (2, 1)], "equals share a pass, of logits at the end alone"


def test_a_batch_gives_what_its_prompts_give_alone(router: CausalLLMRouter) -> None:
    prompts = [f"{number} {PROMPTS[number % len(PROMPTS)]}" for number in range(100)]
    alone = [router.score([prompt])[0] for prompt in prompts]
    assert router.score(prompts) == pytest.approx(alone, abs=1e-6)
    assert np.ptp(alone) > 0.005
    assert router.score([]).shape == (0,)


def test_a_label_that_comes_later_is_found(tmp_path: Path) -> None:
    write_causal_llm(tmp_path, says_first=True)
    router = CausalLLMRouter.from_pretrained(str(tmp_path), device="cpu")
    expected = []
    for prompt in PROMPTS[:4]:
        said, logits = _greedy(tmp_path, _llama(prompt))
        assert said[0] == AutoTokenizer.from_pretrained(tmp_path).convert_tokens_to_ids(FIRST)
        expected.append(_win_rate(tmp_path, logits[1]))
    assert router.score(PROMPTS[:4]) == pytest.approx(expected, abs=1e-5)


def test_without_a_label_the_strong_model_is_asked(tmp_path: Path) -> None:
    write_causal_llm(tmp_path, never=True)
    router = CausalLLMRouter.from_pretrained(str(tmp_path), device="cpu")
    assert router.score(PROMPTS[:2]).tolist() == [1, 1]


def test_bfloat16_does_not_depend_on_the_batch(tmp_path: Path, router: CausalLLMRouter) -> None:
    write_causal_llm(tmp_path, dtype=torch.bfloat16, max_length=180)
    rounded = CausalLLMRouter.from_pretrained(str(tmp_path), device="cpu")
    scores = rounded.score(PROMPTS)
    assert scores.tolist() == [rounded.score([prompt])[0] for prompt in PROMPTS]
    assert scores.tolist() != router.score(PROMPTS).tolist()
    assert scores == pytest.approx(router.score(PROMPTS), abs=0.1)


def test_the_middle_of_a_long_prompt_is_left_out(whole: Path, router: CausalLLMRouter) -> None:
    prompt = router._rater._prompt  # type: ignore[attr-defined]
    tokens = AutoTokenizer.from_pretrained(whole)
    for long in ("why? " * 400, "🤷" * 9000, "x" * 10_000_000, "\ud800" * 500):
        ids = prompt.ids(long)
        assert 176 < len(ids) <= 180
        text = tokens.decode(ids)
        assert text.startswith(_llama("")[:80])
        assert text.endswith("\n\nRating:<|eot_id|>")
    assert router.score(["why? " * 400]) == router.score(["why? " * 500])
    assert router.score(["ab"]) != router.score(["ac"])
    start, end = ("first " + "why? " * 400, "why? " * 400 + "last")
    assert tokens.decode(prompt.ids(start)).count("first") == 1
    assert tokens.decode(prompt.ids(end)).count("last") == 1


def test_odd_prompts_get_a_win_rate(router: CausalLLMRouter) -> None:
    odd = [
        "",
        " \n",
        "\ud800",
        "🤷" * 9000,
        "x" * 10_000_000,
        "\0",
        "{question} {0} [[5]] <|eot_id|>",
    ]
    scores = router.score(odd)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores == pytest.approx([router.score([prompt])[0] for prompt in odd], abs=1e-6)


def test_threads_do_not_disturb_each_other(router: CausalLLMRouter) -> None:
    alone = router.score(PROMPTS)
    with ThreadPoolExecutor(8) as pool:
        for scores in pool.map(router.score, [PROMPTS] * 16):
            assert scores == pytest.approx(alone, abs=1e-6)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (TEMPLATE, "<system>Rate the answer.<user>Q: why?\n\nRating:<assistant>"),
        (USER_ONLY, "<user>Rate the answer.\n\nQ: why?\n\nRating:"),
        (None, "Rate the answer.\n\nQ: why?\n\nRating:\n"),
    ],
)
def test_other_models_read_their_own_format(
    tmp_path: Path, template: str | None, text: str
) -> None:
    write_causal_llm(tmp_path, llama=False, template=template)
    router = CausalLLMRouter.from_pretrained(str(tmp_path), device="cpu")
    expected = _win_rate(tmp_path, _greedy(tmp_path, text)[1][0])
    assert router.score(["why?"])[0] == pytest.approx(expected, abs=1e-6)


def test_quantiles_and_fingerprint(folder: Path, router: CausalLLMRouter) -> None:
    again = load_router("causal_llm", checkpoint=str(folder))
    assert again.score_quantiles is not None
    assert again.score_quantiles.tolist() == [0.1, 0.4, 0.9]
    assert again.fingerprint == router.fingerprint
    assert not again.instant
    (folder / SYSTEM).write_text("Rate.")
    assert CausalLLMRouter.from_pretrained(str(folder)).fingerprint != router.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (SYSTEM, None, f"{SYSTEM} cannot be read"),
        (CLASSIFIER, None, f"{CLASSIFIER} cannot be read"),
        (CLASSIFIER, "Q: ?", r"has no \{question\}"),
        (SYSTEM, "Rate. " * 100, "alone take .* tokens of 180"),
        (DESCRIPTION, '{"router": "causal_llm"}', f"{DESCRIPTION} is damaged"),
    ],
)
def test_damage_is_reported_at_load(
    folder: Path, name: str, content: str | None, message: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        CausalLLMRouter.from_pretrained(str(folder))


def test_missing_labels_are_reported_at_load(tmp_path: Path) -> None:
    write_causal_llm(tmp_path, labels=LABELS[:4])
    with pytest.raises(CheckpointError, match="only 4 of the label tokens"):
        load_router("causal_llm", checkpoint=str(tmp_path))


def test_half_of_a_remote_setting_is_reported(whole: Path) -> None:
    with pytest.raises(ConfigError, match="base_url and model belong together"):
        load_router("causal_llm", checkpoint=str(whole), model="rater")
