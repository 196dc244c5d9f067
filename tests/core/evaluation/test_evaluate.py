"""`routellm evaluate` as a user runs it, and the scores it keeps."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from routellm_core import Router, cli
from routellm_core.cli import app
from routellm_core.errors import ConfigError
from routellm_core.evaluation.scoring import cache_folder, score_prompts
from tests.fakes import routers as fake_routers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROUTELLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A benchmark on which more words mean more to gain, mostly."""
    rows = [
        {"prompt": "word " * words + str(row), "strong": words > 3 or row % 7 == 0, "weak": 0}
        for row, words in enumerate([1, 2, 3, 4, 5, 6] * 5)
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is about results alone: to draw takes a second."""
    monkeypatch.setattr("routellm_core.evaluation.reporting.report.write_plots", lambda *_: [])


def _run(*arguments: str, columns: int = 120) -> Result:
    few = [] if "--draws" in arguments else ["--draws", "100"]
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["evaluate", *arguments, *few])


def test_tables_and_notes_are_printed(own: str) -> None:
    arguments = ("--router", "random", "--benchmark", own, "--strong-share", "0.25")
    result = _run(*arguments, "--strong-price", "10", "--weak-price", "1")
    assert result.exit_code == 0, result.output
    assert "own, n = 30" in result.output
    assert "own at 25 % strong calls, 10 a query strong, 1 weak" in result.output
    for name in ("prompt length", "always weak", "always strong", "constant mix", "oracle"):
        assert name in result.output
    assert "Differences in APGR significant at 95 %" in result.output
    assert "Only 30 queries" in result.output


def test_an_interval_stands_below_its_figure_on_a_narrow_terminal(own: str) -> None:
    arguments = ("--router", "random", "--benchmark", own)
    for columns, lines in ((80, 2), (120, 1)):
        output = _run(*arguments, columns=columns).output
        assert max(map(len, output.splitlines())) <= columns
        row = output.split(" random", 1)[1].split(" prompt length", 1)[0]
        assert len(row.splitlines()) == lines


def test_results_are_the_same_bytes_again(own: str, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "deep" / "b"]
    for folder in folders:
        done = _run("--router", "mf", "--benchmark", own, "--out", str(folder), "--scores")
        assert done.exit_code == 0, done.output
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in folders
    )
    assert first == second
    assert {Path("results.json"), Path("report.md")} < first.keys()


@pytest.mark.usefixtures("no_plots")
def test_results_hold_every_figure_and_scores_on_request(own: str, tmp_path: Path) -> None:
    arguments = ("--router", "random", "--benchmark", own, "--out", str(tmp_path / "out"))
    _run(*arguments)
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    command = "routellm evaluate --router random --benchmark own.jsonl --draws 100"
    assert content["command"] == command
    (benchmark,) = content["benchmarks"]
    assert (benchmark["benchmark"], benchmark["n"], benchmark["draws"]) == ("own", 30, 100)
    assert len(benchmark["data_sha256"]) == 64
    router = benchmark["results"][0]
    assert router["apgr"].keys() == {"value", "low", "high"}
    assert router["over"].keys() == {"prompt length", "constant mix"}
    assert "scores" not in router
    assert "strong" not in benchmark
    _run(*arguments, "--scores")
    (benchmark,) = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    scores = benchmark["results"][0]["scores"]
    assert len(scores) == len(benchmark["strong"]) == len(benchmark["prompt_sha256"]) == 30


@pytest.mark.usefixtures("no_plots")
def test_a_failing_router_is_reported_and_the_exit_code_is_1(
    own: str, tmp_path: Path, plugin: Callable[[object], object]
) -> None:
    plugin(fake_routers)
    names = [part for name in ("unmakable", "length", "failing") for part in ("--router", name)]
    result = _run(*names, "--benchmark", own, "--out", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "error: router 'unmakable' on own: ZeroDivisionError" in result.output
    assert "error: router 'failing' on own: RuntimeError: no scores today" in result.output
    (benchmark,) = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    errors = {router["name"]: router["error"] for router in benchmark["results"]}
    assert errors["length"] is None
    assert "no scores today" in errors["failing"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--router", "random", "--router", "mff"), "did you mean 'mf'"),
        (("--router", "random", "--benchmark", "mmlu"), "as --data"),
        (("--router", "random", "--benchmark", "absent.jsonl"), "absent.jsonl cannot be read"),
        (("--router", "random", "--exclude", "mmlu_gold"), "give --data"),
        (("--router", "random", "--scores"), "--out FOLDER"),
        (("--router", "random", "--strong-price", "0"), "--strong-price is 0"),
        (("--router", "random", "--out", "/dev/null/out"), "/dev/null/out cannot be written"),
        (("--router", "random", "--strong-price", "inf"), "a price is infinite"),
        (("--router", "mf", "--checkpoint", "absent"), "'mf': no checkpoint 'absent'"),
        (("--router", "random", "--router", "mf", "--checkpoint", "mf"), "a single --router"),
    ],
)
def test_mistakes_are_reported_in_a_line_with_exit_code_2(
    own: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    out = tmp_path / "out"
    written = () if "--scores" in arguments else ("--out", str(out))
    command = ["routellm", "evaluate", "--benchmark", own, *written, *arguments]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_told_before_scoring(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*, prefix: str, dir: Path) -> None:  # noqa: A002  # as it is called
        raise PermissionError(13, "Permission denied", str(dir / prefix))

    monkeypatch.setattr("tempfile.TemporaryFile", denied)
    result = _run("--router", "random", "--benchmark", own, "--out", str(tmp_path))
    assert isinstance(result.exception, ConfigError)
    assert "cannot be written (Permission denied)" in str(result.exception)
    assert result.output == ""


def test_what_stands_in_the_way_of_a_file_is_told(own: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").mkdir()
    result = _run("--router", "random", "--benchmark", own, "--out", str(tmp_path))
    assert isinstance(result.exception, ConfigError)
    assert "results.json cannot be written (Is a directory)" in str(result.exception)


def test_an_interrupted_run_writes_nothing(
    own: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plugin: Callable[[object], object],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_routers.LengthRouter, "score", interrupted)
    plugin(fake_routers)
    out = tmp_path / "out"
    result = _run("--router", "length", "--benchmark", own, "--out", str(out))
    assert result.exit_code == 130
    assert list(out.iterdir()) == []


@pytest.mark.usefixtures("no_plots")
def test_files_called_like_a_number_change_nothing(
    own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("100", "0.25"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    arguments = ("--router", "random", "--benchmark", own, "--strong-share", "0.25")
    assert _run(*arguments, "--out", str(tmp_path / "out")).exit_code == 0
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert content["command"].endswith("--strong-share 0.25 --draws 100")


def test_two_benchmarks_of_one_name_are_refused(own: str) -> None:
    result = _run("--router", "random", "--benchmark", own, "--benchmark", own)
    assert isinstance(result.exception, ConfigError)


@pytest.mark.usefixtures("no_plots")
def test_prompts_are_excluded_by_file(own: str, tmp_path: Path) -> None:
    hashes = tmp_path / "hashes.json"
    arguments = ("--router", "random", "--benchmark", own, "--exclude", str(hashes))
    hashes.write_text(json.dumps([hashlib.sha256(b"word 0").hexdigest().upper()]))
    result = _run(*arguments, "--out", str(tmp_path / "out"))
    assert "own, n = 29" in result.output
    assert "matches no prompt" not in result.stderr
    (benchmark,) = json.loads((tmp_path / "out" / "results.json").read_text())["benchmarks"]
    assert benchmark["excluded"] == 1
    hashes.write_text(json.dumps([hashlib.sha256(b"another").hexdigest()]))
    assert "hashes.json matches no prompt of these benchmarks" in _run(*arguments).stderr


class Slow(Router):
    """Counts how many prompts it scores."""

    def __init__(self, fingerprint: str | None, score: float = 0.5) -> None:
        self._fingerprint = fingerprint
        self._score = score
        self.scored = 0

    @property
    def fingerprint(self) -> str | None:
        return self._fingerprint

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        self.scored += len(prompts)
        return np.full(len(prompts), self._score)


def _score(router: Router, prompts: Sequence[str], cache: Path | None) -> list[float]:
    return score_prompts("same name", router, prompts, cache=cache).tolist()


def test_scores_are_kept_by_fingerprint_and_prompts(cache: Path) -> None:
    first, again, other = Slow("a", 0.1), Slow("a", 0.2), Slow("b", 0.3)
    assert _score(first, ["x", "y"], cache) == [0.1, 0.1]
    assert _score(again, ["x", "y"], cache) == [0.1, 0.1]
    assert again.scored == 0
    assert _score(other, ["x", "y"], cache) == [0.3, 0.3]
    assert _score(again, ["xy", ""], cache) == [0.2, 0.2]
    assert _score(again, ["x", "\ud800"], cache) == [0.2, 0.2]
    assert _score(again, ["x", "y"], None) == [0.2, 0.2]


def test_a_router_without_a_fingerprint_is_scored_anew(cache: Path) -> None:
    router = Slow(None)
    for _ in range(2):
        _score(router, ["x"], cache)
    assert router.scored == 2
    assert not cache.exists()


def test_a_damaged_or_unwritable_cache_costs_time_alone(cache: Path) -> None:
    _score(Slow("a"), ["x"], cache)
    (kept,) = (cache / "scores").iterdir()
    whole = kept.read_bytes()
    beyond = whole[:-8] + np.array([1.5]).tobytes()
    unfinished = whole.replace(b"}", b"(")
    for damage in (b"", b"\x93NUMPY", b"PK\x03\x04", whole[:-3], beyond, unfinished):
        kept.write_bytes(damage)
        assert _score(Slow("a"), ["x"], cache) == [0.5]
    cache.rename(cache.with_name("moved"))
    cache.write_text("a file where the folder should be")
    assert _score(Slow("a"), ["x"], cache) == [0.5]


def test_the_command_keeps_scores_unless_told_not_to(own: str, cache: Path) -> None:
    _run("--router", "mf", "--benchmark", own, "--no-cache")
    assert not cache.exists()
    _run("--router", "mf", "--benchmark", own)
    assert len(list((cache / "scores").iterdir())) == 1


def test_the_cache_is_where_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("ROUTELLM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / "routellm"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "routellm"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "routellm" / "Cache"
