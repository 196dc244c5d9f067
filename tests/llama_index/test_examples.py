"""The examples, the notebook and the samples of docs/llama_index.md run and print what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from routellm_plugins.demo.standin.answers import Answer
from routellm_plugins.llama_index.settings import RouteSettings
from tests.fakes.openai_upstream import Upstream

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/llama_index"
PAGE = (ROOT / "docs/llama_index.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
SCRIPTS: list[tuple[str, list[str]]] = [
    ("query_engine.py", []),
    (
        "chat_engine.py",
        [
            "What happens when scoring fails?",
            "What is the probability that of 10,000 requests, each strong with probability 0.3, "
            "more than 3,100 are strong?",
            "Thanks! Which text is scored?",
        ],
    ),
    ("agent.py", []),
]
"""The examples, and what is typed into them, before the input ends (Ctrl-D)."""


class OneApi(Upstream):
    """Serves both tiers under one URL, as OpenAI does: the model that is named answers."""

    def answer(self, body: dict[str, Any]) -> Answer:
        return Answer.to(body, body["model"])


class Run(NamedTuple):
    """A process that ended, and what it asked the API."""

    process: subprocess.CompletedProcess[str]
    requests: list[dict[str, Any]]


def run(command: Sequence[str | Path], typed: str) -> Run:
    with OneApi("either") as api:
        process = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "OPENAI_API_KEY": "unused", "OPENAI_API_BASE": api.url},
            cwd=ROOT,
            input=typed,
            capture_output=True,
            text=True,
            timeout=150,
        )
    return Run(process, api.requests)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook goes that is run anew."""
    return tmp_path_factory.mktemp("notebook") / "again.ipynb"


@pytest.fixture(scope="module")
def runs(notebook: Path) -> Iterator[dict[str, Future[Run]]]:
    """Everything there is to run, two at a time, because each takes seconds to import."""
    commands: dict[str, tuple[Sequence[str | Path], str]] = {
        "notebook": (
            [EXAMPLES.parent / "run_notebook.py", EXAMPLES / "routing.ipynb", notebook],
            "",
        ),
        "samples": (["-c", RUN_SAMPLES], json.dumps([code for code, _ in SAMPLES])),
        **{script: ([EXAMPLES / script], "\n".join([*typed, ""])) for script, typed in SCRIPTS},
    }
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run, *command) for name, command in commands.items()}


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("query_engine.py", ["gpt-4o-mini", "gpt-4o"]),
        ("chat_engine.py", ["gpt-4o-mini", "gpt-4o", "gpt-4o-mini"]),
        ("agent.py", ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]),
    ],
)
def test_an_example_asks_the_models_it_says(
    runs: dict[str, Future[Run]], script: str, asked: list[str]
) -> None:
    process, requests = runs[script].result()
    assert process.returncode == 0, process.stderr
    assert [request["model"] for request in requests] == asked
    tiers = re.findall(r"^(?:> )?\[(strong|weak): score", process.stdout, re.MULTILINE)
    assert [{"weak": "gpt-4o-mini", "strong": "gpt-4o"}[tier] for tier in tiers] == asked
    assert "gpt-4o here, a stand-in that only repeats" in process.stdout
    if script != "agent.py":
        assert re.search(r"page: \w+\.md", str(requests[0]["messages"]))


def test_the_notebook_still_gives_its_outputs(runs: dict[str, Future[Run]], notebook: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    process, _ = runs["notebook"].result()
    assert process.returncode == 0, process.stderr
    assert _outputs(notebook) == _outputs(EXAMPLES / "routing.ipynb")


def _outputs(notebook: Path) -> list[Any]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    assert any(outputs)
    return outputs


RUN_SAMPLES = """
import ast, asyncio, inspect, json, sys
from llama_index.core import MockEmbedding, Settings
from llama_index.core.node_parser import TokenTextSplitter

Settings.embed_model = MockEmbedding(embed_dim=8)
Settings.text_splitter = TokenTextSplitter()  # the default one takes seconds to import
names, loop = {}, asyncio.new_event_loop()
asyncio.set_event_loop(loop)
for sample in json.load(sys.stdin):
    code = compile(sample, "sample", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if inspect.iscoroutine(result):
        loop.run_until_complete(result)
    print(end="\\0")
"""


def test_the_samples_of_the_page_run_and_print_what_it_says(
    runs: dict[str, Future[Run]],
) -> None:
    process, requests = runs["samples"].result()
    assert process.returncode == 0, process.stderr
    *printed, rest = process.stdout.split("\0")
    assert not rest
    assert len(printed) == len(SAMPLES) == 11
    for output, (_, said) in zip(printed, SAMPLES, strict=True):
        assert output == said or not said
    assert {request["model"] for request in requests} == {"gpt-4o", "gpt-4o-mini"}


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+)`", PAGE.split("## Complete")[0], re.MULTILINE)
    assert set(documented) | {"strong", "weak"} >= RouteSettings.model_fields.keys()
