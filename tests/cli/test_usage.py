"""Wrong arguments are one line each, as all other mistakes are."""

from __future__ import annotations

import pytest

from tests.cli.command import called


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["calibrate", "--confidence", "much"], "--confidence"),
        (["score", "--threshold", "high", "Hi"], "--threshold"),
        (["demo", "--port", "99999999"], "--port"),
        (["serve", "--max-batch", "0"], "--max-batch"),
        (["evaluate", "--no-such-option"], "--no-such-option"),
        (["data", "check", "--no-such-option"], "--no-such-option"),
        (["score", "--threshold"], "--threshold"),
        (["check"], "--config"),
        (["no-such-command"], "no-such-command"),
        (["audit", __file__, "--out", __file__], "--out"),
        (["evaluate", "--router", "mf", "--benchmark", "conversation"], "mean 'conversations'"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_one_line(arguments: list[str], named: str) -> None:
    done = called(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["data"]], ids=["routellm", "routellm data"])
def test_without_arguments_there_is_help_and_no_error(arguments: list[str]) -> None:
    done = called(*arguments)
    assert "Usage: " in done.stdout + done.stderr
    assert "error" not in done.stderr


def test_exit_codes() -> None:
    assert called("--version").returncode == called("score", "--help").returncode == 0
