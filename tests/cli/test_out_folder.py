"""Where a command writes to: checked before any work, and nobody's files are lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer

from routellm_core.errors import ConfigError
from tests.cli.command import COMMAND, Done, called, routellm, started

PAIR = ("--set", "strong_model=big", "--set", "weak_model=small")
CONFIG = "strong_model: big\nweak_model: small\n"


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "exam.jsonl"
    words = ("sums", "verse", "maps", "law", "tides")
    rows = [
        {
            "prompt": f"Question {number} about {words[number % 5]}?",
            "correct": {"big": 1, "small": int(number % 5 < 2)},
        }
        for number in range(80)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "mf.yaml").write_text(CONFIG)
    return path


def trained(gold: Path, out: Path, router: str = "mf") -> Done:
    return called("train", router, "--gold", str(gold), *PAIR, "--out", str(out))


def compared(gold: Path, out: Path) -> Done:
    config = gold.with_name("mf.yaml")
    folds = ("--folds", "2", "--draws", "100")
    return called("cross-validate", f"mf={config}", "--gold", str(gold), "--out", str(out), *folds)


@pytest.mark.parametrize("router", ["mf", "sw_ranking"])
def test_a_folder_below_a_file_is_found_before_training(gold: Path, router: str) -> None:
    done = trained(gold, gold / "router", router)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {gold / 'router'} cannot be written (Not a directory): name another folder\n"
    )


def test_cross_validation_finds_it_too(gold: Path) -> None:
    done = compared(gold, gold / "compared")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be written (Not a directory): name another folder" in done.stderr


def test_a_full_disk_is_found_before_training(gold: Path, tmp_path: Path) -> None:
    out = tmp_path / "router"
    words = " ".join(COMMAND[:2])
    script = f"{words} '{COMMAND[2]}' train mf --gold {gold} {' '.join(PAIR)} --out {out}"
    # No file may grow, as on a full disk; SIGXFSZ is ignored by Python.
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 0; {script} 2>&1 | cat"], capture_output=True, text=True
    )
    assert f"error: {out} cannot be written (File too large): name another folder" in done.stdout
    assert not out.exists()


def test_output_that_cannot_be_written_is_one_line(gold: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "score", "hi"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == "error: output cannot be read or written (No space left on device)\n"


def test_ones_own_files_are_not_overwritten(gold: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "README.md").write_text("my notes")
    done = trained(gold, out)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {out / 'README.md'} exists already and is not part of a router: "
        "name another folder\n"
    )
    assert (out / "README.md").read_text() == "my notes"
    assert [path.name for path in out.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.onnx", "tokenizer.json", "state/diary.txt"]
)
def test_neither_are_weights_tokenizers_and_states(gold: Path, tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    done = trained(gold, tmp_path / "mine")
    taken = tmp_path / "mine" / name.split("/")[0]
    assert done.returncode == 2
    assert f"{taken} exists already and is not part of a router" in done.stderr
    assert mine.read_text() == "precious"


def test_a_run_that_was_killed_may_start_again(gold: Path, tmp_path: Path) -> None:
    out = tmp_path / "router"
    (out / "state" / "tune").mkdir(parents=True)
    assert trained(gold, out).returncode == 0
    (out / "state" / "tune" / "run.txt").write_text("digest")
    assert trained(gold, out).returncode == 0
    (out / "model.safetensors").unlink()
    assert trained(gold, out).returncode == 0


@pytest.mark.parametrize("name", ["results.json", "cross_validation.md"])
def test_results_of_something_else_are_not_overwritten(
    gold: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "compared"
    out.mkdir()
    (out / name).write_text('{"versions": {}}')
    done = compared(gold, out)
    assert done.returncode == 2
    assert f"{out / name} exists already and is not of this command" in done.stderr
    assert (out / name).read_text() == '{"versions": {}}'


def test_a_report_of_something_else_is_not_overwritten(gold: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pair = ("--strong-model", "big", "--weak-model", "small", "--draws", "100", "--no-cache")
    judged = ("evaluate", "--router", "mf", "--benchmark", str(gold), *pair, "--out")
    (tmp_path / "report.md").write_text("mine")
    done = called(*judged, str(tmp_path))
    assert done.returncode == 2
    assert f"{tmp_path / 'report.md'} exists already and is not of this command" in done.stderr
    for _ in range(2):
        done = called(*judged, str(tmp_path / "judged"))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("out", ["--out", "--plot"])
def test_a_file_that_cannot_be_written_is_found_before_scoring(gold: Path, out: str) -> None:
    if out == "--plot":
        pytest.importorskip("matplotlib")
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here that even root cannot write to")
    asked = ("calibrate", "--prompts", str(gold), "--strong-share", "0.3")
    done = called(*asked, out, "/proc/self/mine.svg")
    assert (done.returncode, done.stdout) == (2, "")
    assert "/proc/self/mine.svg cannot be written" in done.stderr


NOWHERE = "/proc/self/mine"
"""Not even root can write there."""

ROAD = {
    "audit": ("audit", "{broken}", "--out", NOWHERE),
    "audit, a file": ("audit", "{broken}", "--out", "{broken}/below"),
    "label": (
        *("label", "--prompts", "{broken}", "--out", NOWHERE, "--judge", "exact"),
        *("--strong-model", "big", "--weak-model", "small"),
    ),
    "adapt": ("adapt", "--labels", "{broken}", "--out", NOWHERE),
    "report": ("report", "{broken}", "--markdown", NOWHERE),
}


@pytest.mark.parametrize("command", ROAD)
def test_what_cannot_be_written_is_found_before_anything_is_read(
    tmp_path: Path, command: str
) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here that even root cannot write to")
    if "audit" in command:
        pytest.importorskip("matplotlib")
    broken = tmp_path / "broken.jsonl"
    broken.write_text("not JSON\n")
    done = called(*(each.format(broken=broken) for each in ROAD[command]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be written (" in done.stderr
    assert "broken.jsonl, line" not in done.stderr


def test_scores_are_not_added_to_a_store_for_a_report_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here that even root cannot write to")
    from routellm_core.traffic.store.store import Store
    from tests.traffic.exchanges import answer, request

    store = Store(str(tmp_path / "traffic.db"))
    store.add([request("r1"), ("r1", answer())])
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"request_id": "r1", "score": 1}\n')
    asked = ("report", str(tmp_path / "traffic.db"), "--feedback", str(scores), "--markdown")
    assert called(*asked, NOWHERE).returncode == 2
    assert list(store.feedback()) == []
    done = routellm(*asked, "/dev/stderr")  # a device is written to, and not replaced
    assert done.returncode == 0
    assert "# Report of routed traffic" in done.stderr
    assert len(list(store.feedback())) == 1


def fill(folder: Path, error: Exception) -> None:
    from routellm_core.training.shared.out_folder import held

    with held(folder):
        raise error


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no room is left for .*: make room and start"):
        fill(tmp_path / "router", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(FileNotFoundError):
        fill(tmp_path / "router", OSError(errno.ENOENT, "not found"))


def test_a_full_disk_is_found_by_the_words_of_a_library(tmp_path: Path) -> None:
    words = f"Error while serializing: I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"
    with pytest.raises(ConfigError, match="no room is left for"):
        fill(tmp_path / "router", RuntimeError(words))


def test_a_full_disk_is_found_whatever_a_library_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from routellm_core.training.shared import out_folder

    found = iter([None, OSError(errno.ENOSPC, "No space left on device")])

    def check_room(_: Path) -> None:
        if (error := next(found)) is not None:
            raise error

    monkeypatch.setattr(out_folder, "check_room", check_room)
    with pytest.raises(ConfigError, match="no room is left for"):
        fill(tmp_path / "router", RuntimeError("unexpected pos 190912 vs 190800"))


def test_what_was_not_measured_is_said(tmp_path: Path) -> None:
    battles = tmp_path / "votes.jsonl"
    row = '{{"prompt": "Question {0}?", "model_a": "big", "model_b": "small", "p_a": {1}}}\n'
    battles.write_text("".join(row.format(i, 0.5 + i % 2 / 2) for i in range(80)))
    out = tmp_path / "router"
    done = called("train", "mf", "--battles", str(battles), *PAIR, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "not measured: among the validation prompts are too few gold labels" in done.stderr


def test_a_router_takes_the_place_of_an_older_one(gold: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = trained(gold, tmp_path / "router")
        assert done.returncode == 0, done.stderr
    assert compared(gold, tmp_path / "router").returncode == 0


def test_what_stops_before_it_begins_leaves_no_folder(tmp_path: Path, gold: Path) -> None:
    gold.write_text(gold.read_text().splitlines()[0])
    done = trained(gold, tmp_path / "new" / "router")
    assert done.returncode == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not lock folders")
def test_two_runs_in_one_folder(gold: Path, tmp_path: Path) -> None:
    import fcntl

    out = tmp_path / "router"
    out.mkdir()
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = trained(gold, out)
    finally:
        os.close(descriptor)
    assert done.returncode == 2
    assert f"another run writes to {out}: wait for its end, or name another folder" in done.stderr
    assert trained(gold, out).returncode == 0


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_a_signal_is_one_line_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    file = tmp_path / "many.jsonl"
    with file.open("w") as many:
        many.writelines(f'{{"prompt": "Question {number}?"}}\n' for number in range(2_000_000))
    with started("score", "--file", str(file), "--out", str(tmp_path / "scores.jsonl")) as process:
        while not list(tmp_path.glob("scores*.partial")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        if number == signal.SIGTERM:
            process.send_signal(number)  # as `timeout` does
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (code, said)
    assert not list(tmp_path.glob("scores*"))


def test_ctrl_c_during_imports_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from routellm_plugins.start import main; main()"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_a_signal_before_the_command_begins_is_one_line(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int, said: str
) -> None:
    monkeypatch.setattr("typer.main.get_command", lambda app: signal.raise_signal(number))
    done = called("--version")
    assert (done.returncode, done.stderr) == (code, said)


@pytest.mark.usefixtures("interruptible")
def test_another_interrupt_while_the_line_is_written_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = typer.secho

    def interrupted(*args: Any, **options: Any) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:  # which would end all tests
            pytest.fail("the interrupt broke the line off")
        said(*args, **options)

    monkeypatch.setattr("typer.main.get_command", lambda app: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr("typer.secho", interrupted)
    done = called("--version")
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_the_console_script_runs_the_command_line() -> None:
    (script,) = entry_points(group="console_scripts", name="routellm")
    assert script.value in ("routellm_plugins.start:main", "routellm_plugins.cli:main")
    done = subprocess.run(
        [sys.executable, "-c", "from routellm_plugins.start import main; main()", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout[:17]) == (0, "routellm-plugins ")


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    done = routellm(
        "score", "--checkpoint", "nobody/nothing", "hi", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'nobody/nothing' could not be fetched from the hub, and" in done.stderr


def test_names_that_the_locale_does_not_know(gold: Path, tmp_path: Path) -> None:
    named = gold.rename(tmp_path / "prüfung 试.jsonl")
    out = tmp_path / "röuter 器"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = routellm("train", "mf", "--gold", str(named), *PAIR, "--out", str(out), **plain)
    assert done.returncode == 0, done.stderr
    assert (out / "README.md").read_text(encoding="utf-8").startswith("# mf")
    folds = ("--folds", "2", "--draws", "100", "--out", str(tmp_path / "verglichen ü"))
    done = routellm("cross-validate", "mf", "--gold", str(named), *PAIR, *folds, **plain)
    assert done.returncode == 0, done.stderr


def test_model_names_that_are_no_unicode(gold: Path, tmp_path: Path) -> None:
    gold.write_text(gold.read_text().replace('"big"', r'"big \ud83d"'))
    (tmp_path / "c.yaml").write_text('models: {big: ["big \\ud83d"]}\n')
    config = ("--config", str(tmp_path / "c.yaml"))
    out = ("--out", str(tmp_path / "router"))
    done = called("train", "mf", "--gold", str(gold), *config, *PAIR, *out)
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    pytest.importorskip("starlette")
    done = called("serve", "--port", port)
    assert done.returncode == 2
    assert "Invalid value for '--port'" in done.stderr
