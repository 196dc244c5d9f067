"""Surface features: finite on anything, the same for one and many, of both ends of a text."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from routellm_core.encoders.surface import (
    READ_CHARACTERS,
    SURFACE_DIM,
    SURFACE_NAMES,
    surface_features,
)


def _feature(prompt: str, name: str) -> float:
    return float(np.expm1(surface_features([prompt])[0, SURFACE_NAMES.index(name)]))


def test_counts_are_counts() -> None:
    prompt = "What is 12 + 12 - 3?\nA. 20\nB. 21"
    assert round(_feature(prompt, "characters")) == len(prompt)
    assert round(_feature(prompt, "numbers")) == 5
    assert round(_feature(prompt, "distinct_numbers")) == 4
    assert round(_feature(prompt, "answer_options")) == 2
    assert round(_feature(prompt, "characters_before_options")) == 20
    assert round(_feature(prompt, "line_breaks")) == 2


def test_products_vanish_where_there_are_answer_options() -> None:
    multiple_choice, open_question = surface_features(["Why?\nA) x\nB) y", "Why?"])
    start = SURFACE_NAMES.index("open")
    assert not multiple_choice[start:].any()
    assert (open_question[start + 1 :] == open_question[:start]).all()


@given(st.lists(st.text(st.characters(codec=None), max_size=80), min_size=1, max_size=5))
def test_any_text_gives_finite_features_the_same_alone(prompts: list[str]) -> None:
    together = surface_features(prompts)
    assert together.shape == (len(prompts), SURFACE_DIM)
    assert np.isfinite(together).all()
    assert (together >= 0).all()
    assert (together <= 12).all()
    assert (together == np.vstack([surface_features([prompt]) for prompt in prompts])).all()


def test_of_a_long_prompt_the_beginning_and_the_end_count() -> None:
    start, end = "a 1\ud800 \n" * READ_CHARACTERS, "x = 2? " * READ_CHARACTERS
    features = surface_features([f"{start}{middle}{end}" for middle in ("", "B" * 10**7)])
    assert (features[0] == features[1]).all()
    other = surface_features([f"{start}{end}B", f"B{start}{end}"])
    assert (other != features).any(axis=1).all()


def test_no_prompts_give_no_rows() -> None:
    assert surface_features([]).shape == (0, SURFACE_DIM)
