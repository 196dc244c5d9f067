"""Run real clients through a proxy: ``python -m tests.clients FOLDER [NAME ...]``.

Not part of the suite, as it needs what npm and pip install: ``FOLDER`` has, for each package, a
prefix of npm or a virtual environment named after it, with ``-`` for its signs, such as
``anthropic-ai-claude-code`` and ``aider-chat``. Clients that are not there are left out. For each
ask, a line tells where the client's requests went.

The models are stand-ins. The router scores a tenth for each word, up to 1, so whatever a client
puts beside an easy ask sends it to the strong model if it is scored.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.demo.standin import StandIn
from tests.clients.programs import PROGRAMS, Program
from tests.fakes.client_shapes import ASKS
from tests.litellm.configs import HANDLER, KEY, alias, group

ROOT = Path(__file__).parents[2]
LONGEST_S = 180
"""Seconds that an ask may take."""

SETTINGS = {
    "router": "length",
    "threshold": 0.95,
    "ignore": ["aider"],
    "extract": ["crewai", "dspy", "mini-swe-agent"],
}


def main() -> None:
    folder, names = Path(sys.argv[1]).absolute(), sys.argv[2:] or list(PROGRAMS)
    with (
        tempfile.TemporaryDirectory() as made,
        StandIn("gpt-4o") as strong,
        StandIn("gpt-4o-mini") as weak,
    ):
        config, log = Path(made) / "config.yaml", Path(made) / "log.jsonl"
        entries = [group("gpt-4o", strong), group("gpt-4o-mini", weak), alias("coder", **SETTINGS)]
        callbacks = [HANDLER, "tests.fakes.payload_log.writer"]
        settings = {"callbacks": callbacks, "drop_params": True}
        config.write_text(yaml.safe_dump({"model_list": entries, "litellm_settings": settings}))
        with ProxyProcess(config, environment(Path(made), log)) as proxy:
            for name in names:
                for kind, asks in ASKS.items():
                    went = run(PROGRAMS[name], asks, folder, proxy, log)
                    Console(soft_wrap=True, markup=False).print(f"{name}, {kind}: {went}")


def environment(made: Path, log: Path) -> dict[str, str]:
    """Return the proxy's environment, in which the fake routers are a plugin."""
    info = made / "routellm_fakes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: routellm-fakes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[routellm]\nfakes = tests.fakes.routers\n")
    return {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PAYLOAD_LOG": str(log),
        "PYTHONPATH": os.pathsep.join([str(made), str(ROOT)]),
    }


def run(program: Program, asks: list[str], folder: Path, proxy: ProxyProcess, log: Path) -> str:
    """Run a client on asks of one conversation; returns where the last one's requests went."""
    there = folder / re.sub(r"\W+", "-", program.package).strip("-")
    if not there.exists():
        return "not installed"
    with tempfile.TemporaryDirectory() as home:
        fill = {"url": proxy.url, "key": KEY}
        for path, content in program.files:
            file = Path(home) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content.format(**fill))
        env = {
            "HOME": home,
            "CODEX_HOME": f"{home}/.codex",
            "PATH": f"{there}/bin:{there}/node_modules/.bin:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "NODE_PATH": f"{there}/node_modules",
            **{name: value.format(**fill) for name, value in program.env},
        }
        if program.is_python:
            code = f"asks = {asks!r}\n" + program.first.format(**fill)
            commands = [[f"{there}/bin/python", "-c", code]]
        else:
            texts = (program.first, *[program.then] * (len(asks) - 1))
            commands = [
                ["bash", "-c", text.format(**fill, ask=ask)]
                for text, ask in zip(texts, asks, strict=True)
            ]
        work = Path(home) / "work"
        work.mkdir()
        before = len(logged(log))
        said = ""
        for command in commands:
            if not program.is_python:
                before = len(logged(log))  # what the last ask asks
            said = ended(command, work, env)
            time.sleep(4)  # what is logged comes after the answer
        went = [told(payload) for payload in logged(log)[before:]]
        return ", ".join(went) or f"no request: {said[-300:]}"


def ended(command: list[str], work: Path, env: dict[str, str]) -> str:
    """Run a command to its end; returns what it wrote."""
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {LONGEST_S} s"
    return done.stderr or done.stdout


def logged(log: Path) -> list[dict[str, Any]]:
    """Return the routed requests that were logged so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    payloads = [json.loads(line)["metadata"].get("spend_logs_metadata") or {} for line in lines]
    return [payload["routellm"] for payload in payloads if "routellm" in payload]


def told(decision: dict[str, Any]) -> str:
    return f"{decision['tier']} ({decision.get('score')}, {decision['cause']})"


if __name__ == "__main__":
    main()
