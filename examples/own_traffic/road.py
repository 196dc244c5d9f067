"""The road from logs to a deployed, better router, with the commands that a user types."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from rich.console import Console

from routellm_core.checkpoints.store import BUNDLED
from routellm_core.traffic.store.store import Store
from routellm_plugins.demo.proxy_process import ProxyProcess

from .models import Models
from .shop import ALIAS, ask, config_of, log_of, serving, write_log
from .truth import Truth, print_beside, print_truth, truth_of
from .world import JUDGE, PRICES, STRONG, WEAK, World

SAMPLE = 0.7
"""Share of requests of which the other model is asked as well."""

MOST_LOSS = 0.05
_ROUTELLM = "from routellm_plugins.cli import main; main()"
_VERDICTS = ("deploy", "not yet", "no:")
_RELOADED = "changed and is used from now on"
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Sizes:
    """Questions of each step."""

    logged: int = 600
    observed: int = 600
    before: int = 100
    after: int = 400


@dataclass(frozen=True)
class Walked:
    """What came of the road."""

    verdict: str
    """The last words of `routellm adapt`."""
    bundled: Truth
    adapted: Truth


def walk(world: World, folder: Path, console: Console, sizes: Sizes) -> Walked:
    """Walk the road, and say beside each estimate what is true.

    Args:
        world: what is asked, and the truth about it.
        folder: for all files; empty.
        console: where to tell.
        sizes: of the steps.
    """
    typed = Commands(folder, console)
    parts = _parts(world, sizes)
    logged, observed, first, then = islice(parts, 4)
    unseen = next(parts)
    names = ["--strong-model", STRONG, "--weak-model", WEAK]
    with Models(world) as models:
        console.rule("1. From logs: what would routing have done?")
        write_log(folder / "log.jsonl", log_of(models, logged.prompts), STRONG)
        typed.routellm("audit", "log.jsonl", *names, *_prices("strong", "weak"), "--out", "audit")
        bundled, live = folder / "bundled", folder / "live-router"
        shutil.copytree(BUNDLED / "mf", bundled)
        shutil.copy(folder / "audit/calibration.json", bundled)
        shutil.copytree(bundled, live)

        config = config_of(models, folder, live, SAMPLE)
        with serving(config, folder) as proxy:
            console.rule("2. Shadow mode: the other model is asked as well, and nobody notices")
            typed.say(f"{len(observed):,} questions to {STRONG}, through a LiteLLM proxy ...")
            ask(proxy, STRONG, observed.prompts)
            await_pairs(folder / "traffic.db", len(observed))
            typed.routellm("store", "export", "traffic.db", "--out", "pairs.jsonl")

            console.rule("3. Labels: a judge compares both answers")
            label = ["label", "--prompts", "pairs.jsonl", *names]
            label += ["--judge-model", f"{JUDGE}@{models.url}"]
            label += [*_prices("strong", "weak", "judge"), "--max-cost", "5"]
            typed.routellm(*label, "--out", "labels.jsonl")

            console.rule("4. Adapt: the bundled router is moved by the labels")
            said = typed.routellm(
                *("adapt", "--labels", "labels.jsonl", "--from", "mf", "--out", "my-router"),
                *("--max-quality-loss", f"{MOST_LOSS:g}"),
            )
            verdict = next(line for line in said.splitlines() if line.startswith(_VERDICTS))

            console.rule("5. Deploy: the running proxy takes the router up")
            typed.say(f"{len(first):,} questions to {ALIAS}, which the bundled router decides ...")
            shares = [_strong_share(proxy, first)]
            typed.say(f"$ cp my-router/* {live.name}/")
            deploy(proxy, folder / "my-router", live)
            typed.say(next(line for line in proxy.log.splitlines() if _RELOADED in line))
            since = datetime.now(timezone.utc).isoformat(timespec="seconds")
            time.sleep(1)
            typed.say(f"{len(then):,} further questions to {ALIAS} ...")
            shares.append(_strong_share(proxy, then))
            typed.say(f"sent to {STRONG}: {shares[0]:.0%} before, {shares[1]:.0%} now")

            console.rule("6. Watch: what it saves, and how good it is")
            await_pairs(folder / "traffic.db", len(observed) + len(first) + len(then))
            typed.routellm("store", "export", "traffic.db", "--out", "pairs.jsonl")
            typed.routellm(*label, "--out", "labels.jsonl")
            report = ["report", "traffic.db", "--route", ALIAS, "--since", since]
            typed.routellm(*report, "--feedback", "labels.jsonl")
            figures = json.loads(typed.routellm(*report, "--json", quiet=True))["routes"][0]
        console.rule("The truth, which only this example knows")
        truths = [truth_of(each, unseen, models) for each in (bundled, live)]
        print_truth(console, dict(zip(("bundled", "adapted"), truths, strict=True)), len(unseen))
        print_beside(console, truths[1], folder / "my-router", figures)
    return Walked(verdict, *truths)


class Commands:
    """Runs `routellm` in a folder, and shows what is typed and what it says."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console

    def say(self, text: str) -> None:
        """Show a line as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def routellm(self, *args: str, quiet: bool = False) -> str:
        """Run a command to its end; returns what it printed.

        Raises:
            RuntimeError: it failed.
        """
        if not quiet:
            self.say(f"$ routellm {shlex.join(args)}")
        done = subprocess.run(
            [sys.executable, "-c", _ROUTELLM, *args],
            cwd=self._folder,
            env={**os.environ, "COLUMNS": str(self._console.width)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"routellm {shlex.join(args)} failed:\n{done.stdout}")
        if not quiet:
            self.say(done.stdout)
        return done.stdout


def deploy(proxy: ProxyProcess, made: Path, live: Path) -> None:
    """Write a router over the one that the proxy uses, and wait until it is taken up.

    Raises:
        TimeoutError: it was not.
    """
    for path in made.iterdir():
        shutil.copy(path, live)
    deadline = time.monotonic() + _PATIENCE_S
    while _RELOADED not in proxy.log:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the router was not taken up:\n{proxy.log[-2000:]}")
        # Files are looked at by calls.
        ask(proxy, ALIAS, ["Is the new router there?"])
        time.sleep(0.5)


def await_pairs(path: Path, requests: int) -> None:
    """Wait until a store has so many requests, and the other answer to each sampled one.

    Raises:
        TimeoutError: it has not.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if path.exists():
            store = Store(str(path), make=False)
            sampled = [row["sampled"] for row in store.requests()]
            pairs = sum(row["shadow"] for row in store.answers())
            if len(sampled) >= requests and pairs == sum(sampled):
                return
        time.sleep(0.5)
    raise TimeoutError(f"{path} does not have {requests:,} requests with their answers")


def _parts(world: World, sizes: Sizes) -> Iterator[World]:
    start = 0
    for size in vars(sizes).values():
        yield world.part(start, start + size)
        start += size
    yield world.part(start, len(world))


def _strong_share(proxy: ProxyProcess, part: World) -> float:
    asked = ask(proxy, ALIAS, part.prompts)
    return sum(each.tier == "strong" for each in asked) / len(asked)


def _prices(*roles: str) -> Iterator[str]:
    names = {"strong": STRONG, "weak": WEAK, "judge": JUDGE}
    for role in roles:
        read, written = PRICES[names[role]]
        yield from (f"--{role}-price", f"{read:g},{written:g}")
