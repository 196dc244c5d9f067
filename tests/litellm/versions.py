"""Run the tests of the LiteLLM adapter with several releases of LiteLLM, each in its environment.

Run with ``make versions``; needs nothing but Python and pip. Each file of tests is run by itself
and its outcome kept under ``build/versions``, so that a run that was stopped goes on where it was.
A file is run again where it failed, and once the commit has changed. Ends with 1 if a test fails.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build/versions"
LATEST = "latest"
TOOLS = ("prometheus-client>=0.20", "pytest-asyncio>=0.24", "pytest-timeout>=2.3")
NEWER = ("semver>=3",)
"""What the proxies of releases after the one that pip takes want besides."""
FILE_S = 900
"""Most seconds that one file of tests may take."""
COUNTED = ("passed", "failed", "skipped")


class Outcome(TypedDict):
    """What became of the tests of one file, or of all."""

    passed: int
    failed: int
    skipped: int
    seconds: float


def python_of(version: str) -> Path:
    """Return the interpreter of an environment with a release, which is made if there is none."""
    folder = ROOT / f"build/litellm-{version}"
    python, ready = folder / "bin/python", folder / "ready"
    if ready.exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "-q"]
    own = ["-e", f"{ROOT}[litellm,testing]", *TOOLS]
    pinned = [] if version == LATEST else [f"litellm[proxy]=={version}"]
    if subprocess.run([*install, *own, *pinned], check=False).returncode:
        # An index may lack a package that this release's proxy wants, and the tests do not.
        _say(f"{version}: with the other packages of the release that pip takes")
        subprocess.run([*install, *own], check=True)
        subprocess.run([*install, f"litellm=={version}", *NEWER], check=True)
    ready.touch()
    return python


def outcome_of(python: Path, version: str, file: Path, commit: str) -> Outcome:
    """Run a file of tests, unless it passed at this commit; returns its outcome."""
    kept = KEPT / version / f"{file.stem}-{commit}.json"
    if kept.exists():
        known: Outcome = json.loads(kept.read_text())
        return known
    kept.parent.mkdir(parents=True, exist_ok=True)
    report, log = kept.with_suffix(".xml"), kept.with_suffix(".log")
    report.unlink(missing_ok=True)
    began = time.monotonic()
    with log.open("w") as out:
        command = [str(python), "-m", "pytest", "-q", str(file), f"--junitxml={report}"]
        try:
            subprocess.run(
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=FILE_S, check=False
            )
        except subprocess.TimeoutExpired:
            _say(f"  {file.name}: not done within {FILE_S} s, see {log}")
    outcome = _counted(report, time.monotonic() - began)
    if outcome["failed"]:
        _say(f"  {file.name}: {outcome['failed']} failed, see {log}")
    else:
        kept.write_text(json.dumps(outcome))
    return outcome


def _counted(report: Path, seconds: float) -> Outcome:
    """Return the counts of pytest's report; a run that made none counts as one that failed."""
    if not report.exists():
        return Outcome(passed=0, failed=1, skipped=0, seconds=seconds)
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    tests, failed, errors, skipped = (
        int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")
    )
    lost = failed + errors
    return Outcome(passed=tests - lost - skipped, failed=lost, skipped=skipped, seconds=seconds)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _installed(python: Path) -> str:
    show = "from importlib.metadata import version; print(version('litellm'))"
    return subprocess.run(
        [str(python), "-c", show], capture_output=True, text=True, check=True
    ).stdout.strip()


def _commit() -> str:
    head = ["git", "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no-commit"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+", help=f"releases of LiteLLM, or '{LATEST}'")
    parser.add_argument("--only", default="", help="pattern of the files to run")
    given = parser.parse_args()
    files = [
        file
        for file in sorted((ROOT / "tests/litellm").rglob("test_*.py"))
        if re.search(given.only, file.name)
    ]
    commit, lines, failed = _commit(), [], 0
    for version in given.versions:
        python = python_of(version)
        name = _installed(python)
        _say(f"litellm {name}: {len(files)} files")
        outcomes = [outcome_of(python, version, file, commit) for file in files]
        passed, lost, skipped = (sum(each[key] for each in outcomes) for key in COUNTED)
        minutes = sum(each["seconds"] for each in outcomes) / 60
        failed += lost
        verdict = "MISSED" if lost else "MET"
        lines.append(f"{name:<12}{passed:>8}{lost:>8}{skipped:>9}{minutes:>9.1f}  {verdict}")
    _say(f"\n{'litellm':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'minutes':>9}")
    _say("\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
