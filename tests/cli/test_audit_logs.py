"""`routellm audit` on logs as people have them: real exports, broken rows, other encodings."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes import routers
from tests.fakes.routers import EASY, HARD

from .audits import AT, found_in, lines, row
from .command import COMMAND, called

SPEND_LOGS = Path(__file__).parent / "spend_logs.jsonl"
"""Rows that a LiteLLM proxy with `store_prompts_in_spend_logs` wrote into PostgreSQL, as psql gives
them with `row_to_json`; less descriptions of models, headers and tracebacks."""


def exported(form: str, folder: Path) -> Path:
    """Write the rows as one of the ways of getting them out of the database gives them."""
    rows = [json.loads(line) for line in SPEND_LOGS.read_text("utf-8").splitlines()]
    if form == "lines":
        return SPEND_LOGS
    if form == "csv":  # psql: COPY ... TO STDOUT WITH CSV HEADER
        path = folder / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for each in rows:
                writer.writerow(
                    {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in each.items()}
                )
        return path
    path = folder / "rows.json"
    if form == "api":  # GET /spend/logs
        path.write_text(json.dumps(rows), "utf-8")
    else:  # psql: json_agg
        path.write_text("[" + ", \n ".join(map(json.dumps, rows)) + "]\n", "utf-8")
    return path


@pytest.mark.parametrize("form", ["lines", "csv", "api", "json_agg"])
def test_spend_logs_of_a_real_proxy(tmp_path, plugin, form):
    plugin(routers)
    out = tmp_path / "out"
    done = called("audit", str(exported(form, tmp_path)), *AT, "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = found_in(out)
    names = {
        column: {part["name"]: part["calls"] for part in found["parts"][column]}
        for column in ("route", "key", "team", "turn")
    }
    assert names == {
        # A routed call is one for the alias, which the client asked, whichever group answered.
        "route": {"router": 7, "gpt-4o": 2},
        "key": {"chat-app": 8, "batch": 1},
        "team": {"support": 8, "(not said)": 1},
        "turn": {"first turn": 8, "later turn, a follow-up": 1},
    }
    skipped = [line.partition(" (")[0] for line in found["skipped"]]
    assert skipped[:2] == [
        "skipped 2: a call that failed, by its status",
        "skipped 1: no chat but another kind of call",
    ]


def test_only_the_calls_of_an_alias(tmp_path, plugin):
    plugin(routers)
    out = tmp_path / "out"
    done = called("audit", str(SPEND_LOGS), *AT, "--route", "router", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert found_in(out)["calls"] == 7


def test_an_export_without_the_names_of_its_columns_says_so(tmp_path):
    path = exported("csv", tmp_path)
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[1:]), "utf-8")
    done = called("audit", str(path))
    assert done.returncode == 2
    assert "write the names of the columns first (of PostgreSQL, COPY ... WITH CSV HEADER)" in (
        done.stderr
    )


def test_applications_are_told_apart_by_a_system_prompt_beside_the_messages(tmp_path, plugin):
    plugin(routers)
    asked = {"model": "claude", "messages": [{"role": "user", "content": EASY}]}
    longer = {**asked, "messages": [*asked["messages"], {"role": "assistant", "content": "Hi."}]}
    longer["messages"].append({"role": "user", "content": HARD})
    rows = [{**each, "system": f"You are {who}."} for who in "AB" for each in (asked, longer)]
    title = {**asked, "system": "You are a title generator. Give a title."}
    log, out = lines(tmp_path / "log.jsonl", *rows, title), tmp_path / "out"
    assert called("audit", str(log), *AT, "--out", str(out)).returncode == 0
    found = found_in(out)
    assert (found["calls"], found["conversations"], found["side"]) == (5, 3, 1)


@pytest.mark.parametrize("line", ['{"prompt": "a"}, {"prompt": "b"}', "]{", "[1]", "[,"])
def test_what_only_looks_like_part_of_an_array_is_skipped(tmp_path, plugin, line):
    plugin(routers)
    log = tmp_path / "log.jsonl"
    log.write_text(f'{{"prompt": "{EASY}"}}\n{line}\n')
    done = called("audit", str(log), *AT, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == 1
    assert any("skipped 1: not " in each for each in found_in(tmp_path / "out")["skipped"])


BROKEN = {
    "another encoding": (b'{"prompt": "caf\xe9 SECRET"}\n', "skipped 1: not UTF-8 ({}, line 2)"),
    "no JSON": (b'{"prompt": "SECRET\n', "skipped 1: not JSON ({}, line 2)"),
    "no object": (b'["SECRET"]\n', "skipped 1: not a JSON object ({}, line 2)"),
    "deep": (b'{"a":' * 100_000 + b"\n", "skipped 1: not JSON ({}, line 2)"),
    "bytes": (bytes(range(256)).replace(b"\n", b"") + b"\n", "skipped 1: not UTF-8 ({}, line 2)"),
    "half a row": (b'{"messages": [{"role": "us', "skipped 1: not JSON ({}, line 2)"),
    "an embedding": (
        json.dumps(row("SECRET", call_type="aembedding")).encode(),
        "skipped 1: no chat but another kind of call ({}, line 2)",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_rows_are_told_and_skipped(tmp_path, broken, plugin):
    plugin(routers)
    content, said = BROKEN[broken]
    log = tmp_path / "log.jsonl"
    good = json.dumps({"prompt": EASY}).encode() + b"\n"
    log.write_bytes(good + content + (b"" if broken == "half a row" else b"\n" + good))
    done = called("audit", str(log), *AT, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == (1 if broken == "half a row" else 2)
    assert said.format(log) in " ".join(found_in(tmp_path / "out")["skipped"])
    assert "SECRET" not in done.stdout + done.stderr


WHOLE = {
    "nothing": (b"", "holds no prompts"),
    "damaged UTF-16": (b"\xff\xfeS", "damaged UTF-16 (truncated data)"),
    "damaged gzip": (b"\x1f\x8bSECRET", "damaged gzip"),
}


@pytest.mark.parametrize("whole", WHOLE)
def test_a_log_without_calls_is_an_error_of_one_line(tmp_path, whole):
    log = tmp_path / "log.jsonl"
    log.write_bytes(WHOLE[whole][0])
    done = called("audit", str(log))
    assert (done.returncode, done.stdout) == (2, "")
    assert WHOLE[whole][1] in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert "SECRET" not in done.stderr


def test_the_files_are_written_also_if_the_table_is_not_read_to_its_end(tmp_path):
    log = lines(tmp_path / "log.jsonl", *({"prompt": f"What is {at}?"} for at in range(40)))
    command = " ".join([*COMMAND[:2], f"'{COMMAND[2]}'", "audit", str(log), "--out out"])
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    script = f"{command} | head -n 1"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, timeout=60)
    assert found_in(tmp_path / "out")["calls"] == 40


UTF16 = {
    "log.jsonl": '{{"prompt": "{}"}}\r\n'.format,
    "log.csv": "{}\r\n".format,
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("name", UTF16)
def test_logs_in_utf_16_are_read_as_powershell_writes_them(tmp_path, plugin, name, order, packed):
    import gzip

    plugin(routers)
    # U+0A0D and U+0D0A have the bytes of line ends.
    prompts = [EASY, HARD, "\u0a0d Wie groß ist 東京? \u0d0a 🙂"]
    text = "\ufeff" + ("prompt\r\n" if name == "log.csv" else "")
    text += "".join(map(UTF16[name], prompts))
    content = text.encode(f"utf-16-{order}")
    log = tmp_path / (f"{name}.gz" if packed else name)
    log.write_bytes(gzip.compress(content) if packed else content)
    done = called("audit", str(log), *AT, "--show-prompts", "3", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = found_in(tmp_path / "out")
    assert (found["calls"], found["skipped"]) == (3, [])
    assert "Wie groß ist 東京? \u0d0a 🙂" in (tmp_path / "out" / "audit.html").read_text("utf-8")


def test_a_log_that_ends_early_counts_as_far_as_it_goes(tmp_path, plugin):
    import gzip

    plugin(routers)
    packed = gzip.compress(
        b"".join(json.dumps({"prompt": f"{EASY} {at}"}).encode() + b"\n" for at in range(3_000))
    )
    log = tmp_path / "log.jsonl.gz"
    log.write_bytes(packed[: len(packed) // 2])
    other = lines(tmp_path / "other.jsonl", {"prompt": HARD})
    done = called("audit", str(log), str(other), *AT, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = found_in(tmp_path / "out")
    assert 1 < found["calls"] < 3_000
    assert "damaged gzip" in found["skipped"][0]


QUOTES = {
    "to the end": ('"SECRET,b\nx,y\nx,y\n', "is not closed, and all that follows is in it", 2),
    "to the next": ('"SECRET,b\n"x",y\nx,y\n', "is not closed, or a text has one that", 3),
    "in a text": ('"say ""SECRET" twice",b\nx,y\n', "a text has one that is not doubled", 3),
}


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quote_that_is_not_closed_is_told_by_the_line_on_which_it_begins(tmp_path, plugin, quote):
    plugin(routers)
    rows, said, calls = QUOTES[quote]
    log = tmp_path / "log.csv"
    log.write_text(f'prompt,model\n"{EASY}\n",a\n\n{EASY},a\n{rows}')
    done = called("audit", str(log), *AT, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == calls
    (skipped,) = (each for each in found_in(tmp_path / "out")["skipped"] if "quote" in each)
    assert said in skipped
    assert skipped.endswith(f"({log}, line 6)")
    done = called("calibrate", "--prompts", str(log), "--strong-share", "0.5")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{log}, line 6: a quote in this row is not closed" in done.stderr
    assert "SECRET" not in done.stderr


def test_rows_of_several_files_are_told_with_their_file(tmp_path, plugin):
    plugin(routers)
    logs = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for log in logs:
        log.write_text(f'{{"prompt": "{EASY}"}}\nSECRET\n\n[1, 2]\nSECRET\n')
    done = called("audit", *map(str, logs), *AT, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    said = "({}, line 2, 5, {}, line 2, 5)".format(*logs)
    assert f"skipped 4: not JSON {said}" in found_in(tmp_path / "out")["skipped"]
    said = "({}, line 4, 4, {}, line 4, 4)".format(*logs)
    assert f"skipped 4: not a JSON object {said}" in found_in(tmp_path / "out")["skipped"]


PACKED = {
    "zstd": b"\x28\xb5\x2f\xfd",
    "bzip2": b"BZh91AY&SY",
    "xz": b"\xfd7zXZ\x00",
    "zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", PACKED)
def test_a_file_that_is_packed_otherwise_than_with_gzip_is_named_so(tmp_path, name):
    path = tmp_path / "log.jsonl"
    path.write_bytes(PACKED[name] + bytes(range(256)))
    done = called("audit", str(path))
    assert done.returncode == 2
    assert f"is packed with {name}, which is not read: unpack it" in " ".join(done.stderr.split())
