"""`routellm score` as a user runs it."""

from __future__ import annotations

import gzip
import json
import os
import sys
import threading

import numpy as np
import pytest

from routellm_core import Router, RoutingPolicy, __version__, load_router
from tests.fakes.scripted import routers_of

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
        (b"hello\n", "line 1: not JSON"),
        (b"\xff\n", "line 1: not UTF-8"),
        (b"[" * 100_000, "line 1: not JSON"),
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


def test_a_router_that_fails_is_decided_on_as_at_a_gateway(plugin):
    class Broken(Router):
        def score(self, prompts):
            return np.full(len(prompts), np.nan)

    plugin(routers_of(broken=Broken))
    done = called("score", "a", "b", " ", "--router", "broken", "--threshold", "0.5", "--json")
    rows = [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        for line in done.stdout.splitlines()
    ]
    decisions = RoutingPolicy("broken", threshold=0.5).decide_many(["a", "b", " "])
    for row, decision in zip(rows, decisions, strict=True):
        assert row["strong_win_rate"] is decision.score is None
        assert (row["tier"], row["cause"]) == (decision.tier, decision.cause)
    assert [row["cause"] for row in rows] == ["error:ScoringError"] * 2 + ["no_text"]
    assert done.returncode == 1
    assert "ScoringError 2" in done.stderr


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


@pytest.mark.parametrize("name", ["scores.jsonl", "scores.parquet"])
def test_a_file_in_and_a_file_out(tmp_path, name):
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    prompts = [f"prompt {i}" for i in range(1300)]
    given, out = tmp_path / "prompts.parquet", tmp_path / name
    parquet.write_table(arrow.table({"prompt": prompts, "id": range(1300)}), given)
    done = called(
        *("score", "--router", "random", "--file", str(given), "--threshold", ".5"),
        *("--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    if name.endswith("parquet"):
        rows = parquet.read_table(out).to_pylist()
    else:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["prompt"] for row in rows] == prompts
    scores = load_router("random").score(prompts)
    assert [row["strong_win_rate"] for row in rows] == scores.tolist()
    assert [row["tier"] == "strong" for row in rows] == (scores >= 0.5).tolist()
    assert list(rows[0]) == ["prompt", "strong_win_rate", "cause", "threshold", "tier"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "--router", "random", "--file", "{parquet}"),
        ("score", "--router", "random", "--file", "{lines}", "--out", "{folder}/scores.parquet"),
        ("calibrate", "--router", "random", "--prompts", "{parquet}", "--strong-share", ".3"),
    ],
    ids=["read to score", "write scores", "read to calibrate"],
)
def test_parquet_where_its_package_is_missing_is_one_line(tmp_path, monkeypatch, arguments):
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    paths = {"parquet": tmp_path / "p.parquet", "lines": tmp_path / "p.jsonl", "folder": tmp_path}
    parquet.write_table(arrow.table({"prompt": ["a", "b"]}), paths["parquet"])
    paths["lines"].write_text('{"prompt": "a"}\n')
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    done = called(*(each.format(**paths) for each in arguments))
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith('pip install "routellm-plugins[parquet]"')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl", "p.parquet"]


def test_a_file_that_breaks_off_leaves_nothing(tmp_path):
    given, out = tmp_path / "prompts.jsonl", tmp_path / "scores.jsonl"
    given.write_text('{"prompt": "a"}\n' * 600 + "broken\n")
    done = called("score", "--router", "random", "--file", str(given), "--out", str(out))
    assert done.returncode == 2
    assert "line 601: not JSON" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.jsonl"]
    nowhere = called("score", "x", "--router", "random", "--out", str(tmp_path / "no" / "s.jsonl"))
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_pipe_is_read_once(tmp_path, pack):
    pipe = tmp_path / "prompts"
    os.mkfifo(pipe)
    content = pack(b'{"prompt": "a"}\n' * 700)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    done = called("score", "--router", "random", "--file", str(pipe), "--json")
    writer.join()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 700


def test_a_table_shows_the_first_thousand(tmp_path):
    given = tmp_path / "prompts.jsonl"
    given.write_text('{"prompt": "a"}\n' * 1200)
    done = called("score", "--router", "random", "--file", str(given))
    assert "... and 200 more: --json or --out FILE gives all" in done.stdout


def test_two_models_are_named_by_options():
    names = {"strong_model": "gpt-4-1106-preview", "weak_model": "mixtral-8x7b-instruct-v0.1"}
    options = [part for each in names.items() for part in ("--option", "=".join(each))]
    row = json.loads(called("score", "--json", *options, "What is 17 * 23?").stdout)
    (expected,) = load_router("mf", **names).score(["What is 17 * 23?"])
    assert row["strong_win_rate"] == pytest.approx(expected)
