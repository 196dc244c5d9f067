"""`routellm score` as a user runs it."""

from __future__ import annotations

import json
import os

import pytest

from routellm_core import __version__, load_router

from .command import called, routellm


def test_a_table_with_tiers():
    done = called("score", "hello", "--router", "random", "--strong-share", "0.3")
    assert done.returncode == 0
    score = load_router("random").score(["hello"])[0]
    assert f"{score:.4f}" in done.stdout
    assert ("strong" if score >= 0.7 else "weak") in done.stdout.split("hello")[0].splitlines()[-1]
    assert "threshold 0.7000" in done.stdout


def test_json_lines_from_a_file(tmp_path):
    file = tmp_path / "prompts.jsonl"
    prompts = [f"prompt {i}" for i in range(600)] + ["a\ud800b", "línea\nnueva"]
    file.write_text("".join(json.dumps({"prompt": p}) + "\n\n" for p in prompts))
    done = called("score", "--router", "random", "--file", str(file), "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    assert [row["strong_win_rate"] for row in rows] == load_router("random").score(prompts).tolist()
    table = called("score", "--router", "random", "--file", str(file))
    assert table.returncode == 0, table.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "a"}\n{"promt": 1}\n', "line 2: write an object with a"),
        (b"hello\n", "line 1: no JSON"),
        (b"\xff\xfe\n", "is not UTF-8"),
        (b"[" * 100_000, "line 1: no JSON"),
        (b'{"prompt": ' + b"1" * 5_000 + b"}", "line 1"),
        (b"\n\n", "holds no prompts"),
    ],
)
def test_a_bad_file_is_an_error_with_its_line(tmp_path, content, message):
    file = tmp_path / "prompts.jsonl"
    file.write_bytes(content)
    done = called("score", "--router", "random", "--file", str(file))
    assert done.returncode == 2
    assert message in done.stderr


def test_the_table_is_readable_whatever_the_prompts_hold(tmp_path):
    file = tmp_path / "prompts.jsonl"
    prompts = ["\x1b[31mred\x00", "long " * 10_000, "é 😀"]
    rows = "".join(json.dumps({"prompt": prompt}) + "\r\n" for prompt in prompts)
    file.write_bytes(b"\xef\xbb\xbf" + rows.encode())
    arguments = ["score", "--router", "random", "--threshold", "0.5", "--file", str(file)]
    done = routellm(*arguments, COLUMNS="60", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\x00" not in done.stdout
    for score in load_router("random").score(prompts):
        assert f"{score:.4f}" in done.stdout


def test_what_a_plugin_makes_of_scores_is_shown(tmp_path):
    (tmp_path / "sharper.py").write_text(
        "from routellm_core import hookimpl\n"
        "@hookimpl(wrapper=True)\n"
        "def routellm_score(): return (yield) ** 2\n"
    )
    info = tmp_path / "sharper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sharper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\nsharper = sharper\n")
    environment = {"PYTHONPATH": str(tmp_path), "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD": ""}
    done = routellm("score", "hello", "--router", "random", "--json", **environment)
    plain = load_router("random").score(["hello"])[0]
    assert json.loads(done.stdout)["strong_win_rate"] == pytest.approx(plain**2)


def test_a_prompt_without_text_goes_where_a_gateway_sends_it():
    done = called("score", " ", "--router", "random", "--threshold", "1.0", "--json")
    assert json.loads(done.stdout)["tier"] == "strong"


@pytest.fixture
def broken(tmp_path):
    """A plugin whose router answers NaN to some prompts; its environment, and its prompts."""
    (tmp_path / "broken.py").write_text(
        "import numpy as np\n"
        "from routellm_core import Router, hookimpl\n"
        "class Broken(Router):\n"
        "    def score(self, prompts):\n"
        "        return np.array([np.nan if 'nan' in p else 0.25 for p in prompts])\n"
        "@hookimpl\n"
        "def routellm_register_routers(register): register('broken', Broken)\n"
    )
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\nbroken = broken\n")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": paths, "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD": ""}


def _no_constant(name):
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("limit", [[], ["--threshold", "0.5"]])
def test_an_answer_that_is_no_win_rate_is_null_with_its_cause(broken, limit):
    done = routellm("score", "nan", "fine", "--router", "broken", "--json", *limit, **broken)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line, parse_constant=_no_constant) for line in done.stdout.splitlines()]
    assert [row["strong_win_rate"] for row in rows] == [None, 0.25]
    assert [row["cause"] for row in rows] == ["error:ScoringError", "score"]
    # As a gateway sends a call that could not be scored.
    assert [row.get("tier") for row in rows] == (["strong", "weak"] if limit else [None, None])
    table = routellm("score", "nan", "fine", "--router", "broken", *limit, **broken)
    assert table.returncode == 0, table.stderr
    assert "error:ScoringError" in table.stdout


def test_the_version():
    assert called("--version").stdout == f"routellm-plugins {__version__}\n"


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
    done = called("score", *args)
    assert done.returncode == 2
    assert message in done.stderr
