"""`routellm score` as a user runs it."""

from __future__ import annotations

import json

import pytest

from routellm_core import load_router

from .command import routellm


def test_a_table_with_tiers():
    done = routellm("score", "hello", "--router", "random", "--strong-share", "0.3")
    assert done.returncode == 0
    score = load_router("random").score(["hello"])[0]
    assert f"{score:.4f}" in done.stdout
    assert ("strong" if score >= 0.7 else "weak") in done.stdout.split("hello")[0].splitlines()[-1]
    assert "threshold 0.7000" in done.stdout


def test_json_lines_from_a_file(tmp_path):
    file = tmp_path / "prompts.jsonl"
    prompts = [f"prompt {i}" for i in range(600)] + ["a\ud800b", "línea\nnueva"]
    file.write_text("".join(json.dumps({"prompt": p}) + "\n\n" for p in prompts))
    done = routellm("score", "--router", "random", "--file", str(file), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    assert [row["strong_win_rate"] for row in rows] == load_router("random").score(prompts).tolist()
    table = routellm("score", "--router", "random", "--file", str(file))
    assert table.returncode == 0, table.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "a"}\n{"promt": 1}\n', "line 2: write an object with a"),
        (b"hello\n", "line 1: no JSON"),
        (b"\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_a_bad_file_is_an_error_with_its_line(tmp_path, content, message):
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(content)
    done = routellm("score", "--router", "random", "--file", str(file))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "nothing to score"),
        (["x", "--router", "randm"], "did you mean 'random'?"),
        (["x", "--router", "random", "--threshold", "1.7"], "1.7"),
        (["x", "--router", "random", "--threshold", "0.5", "--strong-share", "0.5"], "both"),
    ],
)
def test_mistakes_say_what_to_do(args, message):
    done = routellm("score", *args)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
