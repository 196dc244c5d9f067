"""The docs say what is so: hooks as specified, samples that run, links that lead somewhere."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import metadata
from pathlib import Path
from types import ModuleType

import pytest

from routellm_core import RoutingPolicy, hookimpl, hookspecs, load_router

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [
    *PAGES,
    *sorted((ROOT / "examples").rglob("README.md")),
    *sorted((ROOT / "routellm_core/checkpoints/bundled").rglob("README.md")),
]
PLUGIN_PAGE = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")


def test_every_hook_is_documented_with_its_arguments():
    documented = re.findall(r"^### `(routellm_\w+\(.*\))`$", PLUGIN_PAGE, re.MULTILINE)
    specified = [
        f"{name}({', '.join(inspect.signature(hook).parameters)})"
        for name, hook in vars(hookspecs).items()
        if name.startswith("routellm_")
    ]
    assert documented == specified


def _sample(name: str) -> str:
    """Return the one sample of the plugin page that defines or uses ``name``."""
    samples = re.findall(r"```python\n(.*?)```", PLUGIN_PAGE, re.DOTALL)
    assert len(samples) == 7
    (sample,) = (sample for sample in samples if name in sample)
    return sample


@pytest.fixture
def length_module(monkeypatch):
    module = ModuleType("routellm_length")
    monkeypatch.setitem(sys.modules, "routellm_length", module)
    exec(_sample("class LengthRouter(Router)"), vars(module))
    return module


def test_the_plugin_page_runs(length_module, capsys):
    exec(_sample("unregister_plugin"), {})
    assert capsys.readouterr().out == "length weak 0.025\n"


def test_the_score_samples_run(plugin):
    names: dict[str, type] = {}
    exec(_sample("class Legal"), names)
    plugin(names["Legal"]())
    plugin(names["Sharper"]())
    policy = RoutingPolicy("random", threshold=0.5)
    assert policy.decide("a contract").score == 1.0
    plain = policy.router.score(["hello"])[0]
    assert policy.decide("hello").score == pytest.approx(plain**2)


def test_the_sample_of_scored_routers_runs(plugin):
    names: dict[str, type] = {}
    exec(_sample("class SharperRandom"), names)
    plugin(names["SharperRandom"]())
    random, mf = (RoutingPolicy(name, threshold=0.5) for name in ("random", "mf"))
    plain = random.router.score(["hello"])[0]
    assert random.decide("hello").score == pytest.approx(plain**2)
    assert mf.decide("hello").score == pytest.approx(mf.router.score(["hello"])[0])


def test_the_sample_of_a_trainer_runs(length_module, plugin, tmp_path):
    pytest.importorskip("yaml")
    from routellm_core.training.shared.files import TrainingFiles
    from routellm_core.training.trainers import find_trainer

    module = ModuleType("routellm_learned_length")
    exec(_sample("train_length"), vars(module))
    plugin(module)
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"prompt": "12345678"}\n{"prompt": "1234"}\n')
    trainer = find_trainer("learned-length")
    out = tmp_path / "out"
    assert trainer.train(TrainingFiles(gold=[gold]), out, trainer.config()) == {"scale": 8}
    assert load_router("learned-length", checkpoint=out).score(["1234"]) == [0.5]


def test_the_sample_of_concurrency_runs(plugin):
    names: dict[str, type] = {}
    exec(_sample("class ServedRouter"), names)

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("served", names["ServedRouter"])

    plugin(Plugin())
    with _HalfServer() as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        policy = RoutingPolicy(
            "served", threshold=0.5, router_options={"url": url}, timeout_ms=60_000
        )
        with ThreadPoolExecutor(12) as pool:
            decisions = list(pool.map(policy.decide, "abcdefghijkl"))
    assert {decision.score for decision in decisions} == {0.5}
    assert server.at_once <= 4


class _HalfServer(ThreadingHTTPServer):
    """Answers 0.5 to every prompt, and counts the requests it has at once."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _HalfHandler)
        self.busy = self.at_once = 0
        self.counting = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()


class _HalfHandler(BaseHTTPRequestHandler):
    server: _HalfServer

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counting:
            self.server.busy += 1
            self.server.at_once = max(self.server.at_once, self.server.busy)
        time.sleep(0.05)
        with self.server.counting:
            self.server.busy -= 1
        body = json.dumps({"win_rates": [0.5] * len(asked["prompts"])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_the_sample_of_the_contract_runs(tmp_path):
    (tmp_path / "routellm_length.py").write_text(_sample("class LengthRouter(Router)"))
    (tmp_path / "test_length.py").write_text(_sample("RouterContractTests"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_length.py"]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert "13 passed" in done.stdout, done.stdout + done.stderr


def _typed(page: Path) -> list[list[str]]:
    """Return the words of each `routellm` command in the page's code and text."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:console)?\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    typed = [line.strip().removeprefix("$ ") for line in lines]
    typed += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [shlex.split(line, comments=True) for line in typed if re.match("routellm [a-z]", line)]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_exist_with_their_options(page):
    import typer

    from routellm_plugins.cli import app

    for words in _typed(page):
        command = typer.main.get_command(app)
        given = list(words[1:])
        while hasattr(command, "commands"):
            command = command.commands[given.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in given if word.startswith("--") and word != "..."} <= known, words


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    broken = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_extras_named_in_the_docs_exist():
    extras = metadata("routellm-plugins").get_all("Provides-Extra") or []
    named = {
        extra
        for page in PAGES
        for group in re.findall(r"routellm-plugins\[([\w,-]+)\]", page.read_text(encoding="utf-8"))
        for extra in group.split(",")
    }
    assert named <= set(extras)
