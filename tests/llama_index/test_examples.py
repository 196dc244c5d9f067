"""The examples, the notebook and the samples of docs/llama_index.md run and say what is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routellm_plugins.llama_index.settings import RouteSettings
from routellm_plugins.standin.answers import Answer
from tests.fakes.openai_upstream import Upstream

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/llama_index"
PAGE = (ROOT / "docs/llama_index.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
TURNS = [
    "What happens when scoring fails?",
    "Compare strong_share with threshold, and derive which of them still holds when I replace "
    "the checkpoint.",
    "Thanks! Which text is scored?",
]


class OneApi(Upstream):
    """Serves both tiers under one URL, as OpenAI does: the model that is named answers."""

    def answer(self, body: dict[str, Any]) -> Answer:
        return Answer.to(body, body["model"])

    @property
    def models(self) -> list[str]:
        """The models that were asked, in order."""
        return [request["model"] for request in self.requests]


@pytest.fixture
def api() -> Iterator[OneApi]:
    with OneApi("either") as upstream:
        yield upstream


@pytest.fixture
def environment(api: OneApi) -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": "unused", "OPENAI_API_BASE": api.url}


@pytest.mark.parametrize(
    ("script", "typed", "asked"),
    [
        ("query_engine.py", [], ["gpt-4o-mini", "gpt-4o"]),
        ("chat_engine.py", TURNS, ["gpt-4o-mini", "gpt-4o", "gpt-4o-mini"]),
        ("agent.py", [], ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]),
    ],
)
def test_an_example_asks_the_models_it_says(
    api: OneApi, environment: dict[str, str], script: str, typed: list[str], asked: list[str]
) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLES / script],
        env=environment,
        input="\n".join([*typed, "", ""]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert api.models == asked
    told = re.findall(r"^(?:> )?\[(strong|weak): score", run.stdout, re.MULTILINE)
    assert [{"weak": "gpt-4o-mini", "strong": "gpt-4o"}[tier] for tier in told] == asked
    assert "gpt-4o here, as a stand-in" in run.stdout
    if script != "agent.py":
        assert re.search(r"page: \w+\.md", str(api.requests[0]["messages"]))


def test_the_notebook_still_gives_its_outputs(tmp_path: Path, environment: dict[str, str]) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    again = tmp_path / "again.ipynb"
    run = subprocess.run(
        [sys.executable, EXAMPLES / "run_notebook.py", again],
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert run.returncode == 0, run.stderr
    assert _outputs(again) == _outputs(EXAMPLES / "routing.ipynb")


def _outputs(notebook: Path) -> list[Any]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]
    assert any(outputs)
    return outputs


RUN_SAMPLES = """
import ast, asyncio, inspect, json, sys
from llama_index.core import MockEmbedding, Settings

Settings.embed_model = MockEmbedding(embed_dim=8)
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
    api: OneApi, environment: dict[str, str]
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", RUN_SAMPLES],
        env=environment,
        cwd=ROOT,
        input=json.dumps([code for code, _ in SAMPLES]),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    *printed, rest = run.stdout.split("\0")
    assert not rest
    assert len(printed) == len(SAMPLES) == 10
    for told, (_, said) in zip(printed, SAMPLES, strict=True):
        assert told == said or not said
    assert set(api.models) == {"gpt-4o", "gpt-4o-mini"}


def test_every_setting_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+)`", PAGE.split("## Complete")[0], re.MULTILINE)
    assert set(documented) | {"strong", "weak"} >= RouteSettings.model_fields.keys()
