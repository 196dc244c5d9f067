"""The examples, the notebook and the samples of docs/langchain.md run and say what is so."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain_core import __version__

from routellm_plugins.demo.standin.answers import Answer
from tests.fakes.openai_upstream import Upstream

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/langchain"
PAGE = (ROOT / "docs/langchain.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
HAS_DECISIONS = tuple(int(part) for part in __version__.split(".")[:2]) >= (1, 8)


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
def keys(api: OneApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    monkeypatch.setenv("OPENAI_BASE_URL", api.url)


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("chain.py", ["gpt-4o-mini", "gpt-4o"]),
        ("agent.py", ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o", "gpt-4o"]),
        ("graph.py", ["gpt-4o-mini", "gpt-4o", "gpt-4o"]),
        ("rag.py", ["gpt-4o-mini", "gpt-4o"]),
    ],
)
@pytest.mark.usefixtures("keys")
def test_an_example_asks_the_models_it_says(
    api: OneApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    asked: list[str],
) -> None:
    # In this process, since importing LangChain anew takes longer than all examples.
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert sorted(api.models) == sorted(asked)  # a batch is asked in parallel
    output = capsys.readouterr().out
    said = re.findall(r"\[(?:answer, |check, )?(always strong|strong|weak)", output)
    models = {"weak": "gpt-4o-mini", "strong": "gpt-4o", "always strong": "gpt-4o"}
    assert [models[tier] for tier in said] == asked
    if script == "rag.py":
        context = api.requests[0]["messages"][0]["content"]
        assert "[thresholds.md]\n## By share: `strong_share`" in context


@pytest.mark.usefixtures("keys")
def test_the_notebook_still_gives_its_outputs(tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    again = tmp_path / "again.ipynb"
    run = subprocess.run(
        [sys.executable, EXAMPLES.parent / "run_notebook.py", EXAMPLES / "routing.ipynb", again],
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


@pytest.mark.usefixtures("keys")
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the OpenAI client
def test_the_samples_of_the_page_run_and_print_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    samples = [sample for sample in SAMPLES if "RouteLLMDecisionModel" not in sample[0]]
    assert len(samples) == len(SAMPLES) - 1 == 9
    names: dict[str, Any] = {}
    for code, printed in samples:
        exec(code, names)
        told = capsys.readouterr().out
        assert told == printed or not printed


@pytest.mark.usefixtures("keys")
@pytest.mark.skipif(
    not HAS_DECISIONS, reason=f"langchain-core {__version__} has no decision models; 1.8 has"
)
def test_the_sample_with_langchains_own_router_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("langchain.agents.middleware.model_router")

    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    [(code, printed)] = [sample for sample in SAMPLES if "RouteLLMDecisionModel" in sample[0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that router is in beta, and says so once
        exec(code, {"create_agent": create_agent, "multiply": multiply})
    assert capsys.readouterr().out == printed
