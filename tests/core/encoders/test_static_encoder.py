"""The bundled encoder: exactly BERT's tokens, and one vector per prompt whatever the batch."""

from __future__ import annotations

import base64
import json
import random
import shutil
import string
import subprocess
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from routellm_core import CheckpointError, load_encoder
from routellm_core.checkpoints.store import BUNDLED, CARD, CONFIG, WEIGHTS
from routellm_core.encoders import wordpiece
from routellm_core.encoders.static import (
    TOKENIZER,
    StaticEncoder,
    fingerprint_of,
    read_vocabulary,
)
from routellm_core.encoders.surface import READ_CHARACTERS
from routellm_core.encoders.wordpiece import WordPiece
from routellm_core.prompt.excerpt import MOST_CHARACTERS

FOLDER = BUNDLED / "static"
VOCABULARY = read_vocabulary((FOLDER / TOKENIZER).read_bytes())
LIBRARY = Tokenizer.from_file(str(FOLDER / TOKENIZER))
WORDPIECE = WordPiece(VOCABULARY)

ODD = [
    "",
    " \t\r\n",
    "\x00\x01\x7f",
    "\ufffd\u200b\ufeff",
    "a\x00b\x1cc\x85d\x0be\xa0f",
    "🎉👩‍👩‍👧‍👦🇩🇪",
    "\ud800",
    "a\udfffb \ud83d",
    "naïve CAFÉ Ωμέγα ÅNGSTRÖM İstanbul ß ǅ",
    "e\u0301 =\u0338 ≠ ऀ a\u0903b",
    "中文，日本語。한국어 Русский עברית العربية",
    "don’t “quote”—now… it's",
    "[UNK] [PAD] [CLS] ##ing",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101,
    "é" * 100 + " " + "é" * 101,
    "f(x)=x**2+3*x-1; <b>_under_score_</b> `a\\b` ~^|",
]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("static")


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "static")


def library_ids(text):
    text = text.encode("utf-8", "ignore").decode()
    ids = LIBRARY.encode(text, add_special_tokens=False).ids
    return [token_id for token_id in ids if token_id != VOCABULARY["[UNK]"]]


nasty = st.sampled_from(
    [*"abcABC059 .,'_-\t\n\r\x00\x0b\x1c\x7f\x85\xa0é\u0301\u0338中。’—ßİ🎉", "##", "ing"]
)


@settings(max_examples=500, deadline=None)
@given(st.text() | st.text(st.characters(codec="ascii")) | st.lists(nasty).map("".join))
def test_same_tokens_as_the_library(text):
    assert WORDPIECE.ids(text).tolist() == library_ids(text)


@pytest.mark.parametrize("text", ODD)
def test_same_tokens_for_odd_texts(text):
    assert WORDPIECE.ids(text).tolist() == library_ids(text)


def test_same_tokens_around_every_character():
    for start in [*range(0, 0x30000, 0x400), 0xE0000, 0xE0400, 0x10FC00]:
        text = "".join(f"ab{chr(code)}cd{chr(code)} " for code in range(start, start + 0x400))
        assert WORDPIECE.ids(text).tolist() == library_ids(text), hex(start)


def pick(characters, seed=0):
    return "".join(random.Random(seed).choices(characters, k=MOST_CHARACTERS))


def span(first, last):
    return [chr(code) for code in range(first, last + 1)]


MARKS = [c for c in span(0x300, 0x1FFF) if unicodedata.category(c) == "Mn"]
WORST = {
    "chinese": pick(span(0x4E00, 0x9FFF)),
    "chinese extension A": pick(span(0x3400, 0x4DBF)),
    "chinese extension B": pick(span(0x20000, 0x2A6DF)),
    "chinese compatibility": pick(span(0xF900, 0xFAFF)),
    "japanese": pick([*span(0x4E00, 0x9FFF), *span(0x3041, 0x3096) * 200]),
    "hangul": pick(span(0xAC00, 0xD7A3)),
    "hangul words": pick([*span(0xAC00, 0xD7A3), *" " * 3000]),
    "emoji": pick(span(0x1F300, 0x1FAFF)),
    "thai": pick(span(0xE01, 0xE3A)),
    "arabic": pick(span(0x621, 0x64A)),
    "russian words": pick([*span(0x430, 0x44F), *" " * 5]),
    "base64": base64.b64encode(random.Random(0).randbytes(MOST_CHARACTERS)).decode(),
    "punctuation": pick(string.punctuation + "“”‘’—…«»¿¡。，、"),
    "punctuated": pick("aé1“.”,’"),
    "combining marks": pick(MARKS),
    "one letter's marks": "a" + pick("\u0301\u0327\u0323"),
    "one long word": "a" * MOST_CHARACTERS,
}


@pytest.mark.parametrize("name", WORST)
def test_no_script_takes_long(encoder, name):
    text = WORST[name][:MOST_CHARACTERS]
    tables = encoder._table, encoder._scales, VOCABULARY, ""
    fastest = 1.0
    for _ in range(3):
        fresh = StaticEncoder(*tables)
        start = time.thread_time()
        fresh.encode([text])
        fastest = min(fastest, time.thread_time() - start)
    assert fastest < 0.05
    assert fresh._wordpiece.ids(text).tolist() == library_ids(text)


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(wordpiece, "REMEMBERED_BYTES", 2000)
    monkeypatch.setattr(wordpiece, "REMEMBERED_CHARACTERS", 400)
    small = WordPiece(VOCABULARY)
    text = " ".join(f"word{number}, wörd{number}{chr(0x400 + number)}" for number in range(100))
    for _ in range(2):
        assert small.ids(text).tolist() == library_ids(text)
    assert size_of(small._words) <= 2000
    assert len(small._characters._table) <= 1000


def size_of(words):
    return sum(sys.getsizeof(piece) + sys.getsizeof(ids) for piece, ids in words.items())


@pytest.mark.parametrize(("length", "thousands"), [(4, 100), (33, 30), (100, 15)])
def test_no_words_take_more_memory(length, thousands):
    words = WordPiece(VOCABULARY)
    letters = random.Random(0)
    most = 0
    for _ in range(thousands):
        words.ids(" ".join(letters.randbytes(50).hex()[:length] for _ in range(1000)))
        most = max(most, size_of(words._words) + sys.getsizeof(words._words))
    assert most <= wordpiece.REMEMBERED_BYTES + 3_000_000


def test_no_characters_take_more_memory():
    words = WordPiece(VOCABULARY)
    most = 0
    for start in range(0, sys.maxunicode, MOST_CHARACTERS):
        words.ids("".join(map(chr, range(start, start + MOST_CHARACTERS))))
        table = words._characters._table
        most = max(most, sum(map(sys.getsizeof, table)) + sys.getsizeof(table))
    assert most <= 2_500_000


def test_the_vector_is_the_scaled_mean_of_the_rows(encoder):
    ids = library_ids("Why is the sky blue?")
    rows = encoder._table[ids] * encoder._scales[ids, None]
    mean = rows.mean(axis=0)
    [vector] = encoder.encode(["Why is the sky blue?"])
    assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_shape_type_and_length(encoder):
    vectors = encoder.encode(["Why is the sky blue?", "", "x" * 101, "Prove it."])
    assert vectors.shape == (4, encoder.dim) == (4, 256)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 0, 1], abs=1e-6)
    assert encoder.encode([]).shape == (0, 256)


def test_near_in_meaning_is_near_in_space(encoder):
    cat, kitten, tax = encoder.encode(
        ["My cat is ill", "The kitten looks sick", "How are dividends taxed?"]
    )
    assert cat @ kitten > cat @ tax + 0.2


def test_a_batch_gives_what_each_prompt_gives(encoder):
    prompts = [*ODD, "Long. " * 3000, *(f"Question {n}: what is {n} + {n}?" for n in range(50))]
    batch = encoder.encode(prompts)
    assert np.isfinite(batch).all()
    singles = np.concatenate([encoder.encode([prompt]) for prompt in prompts])
    assert batch == pytest.approx(singles, abs=1e-6)


def test_of_a_long_prompt_the_beginning_and_the_end_are_read(encoder):
    filler = "lorem ipsum " * READ_CHARACTERS
    plain, middle, start, end = encoder.encode(
        [
            filler,
            filler + "physics " * 1_250_000 + filler,
            "physics " + filler,
            filler + "physics",
        ]
    )
    assert np.array_equal(plain, middle)
    assert not np.array_equal(plain, start)
    assert not np.array_equal(plain, end)


def test_threads_share_it(encoder):
    prompts = [f"Thread {n} asks about {'naïve ' * (n % 7)}topic{n % 50}." for n in range(400)]
    expected = encoder.encode(prompts)
    fresh = StaticEncoder.from_bundled()
    with ThreadPoolExecutor(8) as threads:
        vectors = list(threads.map(lambda prompt: fresh.encode([prompt])[0], prompts))
    assert np.array(vectors) == pytest.approx(expected, abs=1e-6)


def test_the_fingerprint_depends_on_every_part(encoder):
    table, scales = np.ones((3, 2), np.int8), np.ones(3, np.float32)
    names = {
        fingerprint_of(table, scales, b"{}"),
        fingerprint_of(table * 2, scales, b"{}"),
        fingerprint_of(table, scales * 2, b"{}"),
        fingerprint_of(table, scales, b"[]"),
    }
    assert len(names) == 4
    assert encoder.fingerprint == json.loads((FOLDER / CONFIG).read_text())["fingerprint"]
    assert encoder.fingerprint in (FOLDER / CARD).read_text()


def test_a_folder_will_do(encoder, folder):
    other = StaticEncoder.from_pretrained(str(folder))
    assert other.fingerprint == encoder.fingerprint
    assert np.array_equal(other.encode(["hello"]), encoder.encode(["hello"]))


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, TOKENIZER])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        StaticEncoder.from_pretrained(str(folder))


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_one_changed_byte_is_noticed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-3000] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="restore the folder, or reinstall"):
        StaticEncoder.from_pretrained(str(folder))


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 10_000_000


def test_it_loads_nothing_heavy():
    heavy = ["torch", "transformers", "model2vec", "pandas", "sklearn", "scipy"]
    code = f"""
import sys
from routellm_core import load_encoder
load_encoder("static").encode(["Why is the sky blue?", "naïve"])
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
