"""The commands of docs/serve.md do what stands below them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
pytest.importorskip("onnxruntime")

from tests.cli.command import called
from tests.fakes.scoring_server import ScoringProcess

PAGE = (Path(__file__).parents[2] / "docs/serve.md").read_text(encoding="utf-8")
PORT = "8100"


def commands() -> list[tuple[str, str]]:
    """Return the commands of the page, each with what stands below it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = each.partition("\n")
            found.append((command, output))
    return found


COMMANDS = dict(commands())
SERVE, SERVE_WITH_TOKEN = (each.split()[2:] for each in COMMANDS if each.startswith("routellm "))


def rounded(value: Any) -> Any:
    """Return an answer as the page shows it."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items() if key != "elapsed_ms"}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, str) and value.startswith("bert:"):
        return "bert:..."
    return round(value, 4) if isinstance(value, float) else value


def test_every_command_is_known() -> None:
    kinds = {command.split()[0] for command in COMMANDS}
    assert kinds == {"pip", "routellm", "curl", "export"}
    assert (SERVE, SERVE_WITH_TOKEN) == (
        ["--router", "bert", "--strong-share", "0.3"],
        ["--router", "bert", "--host", "0.0.0.0", "--token-env", "ROUTELLM_TOKEN"],
    )


def test_the_service_and_its_answers(tmp_path: Path) -> None:
    curls = {each: said for each, said in COMMANDS.items() if each.startswith("curl ")}
    assert len(curls) == 2
    with ScoringProcess(*SERVE, "--timeout-ms", "60000") as server:
        port = str(server.port)
        assert COMMANDS["routellm serve --router bert --strong-share 0.3"].replace(PORT, port) in (
            server.log
        )
        for command, output in curls.items():
            run = ["bash", "-c", command.replace(PORT, port)]
            done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
            assert rounded(json.loads(done.stdout)) == rounded(json.loads(output))
        (line,) = re.findall(r"```yaml\n(model_info:.*?)\n```", PAGE)
        check_litellm(tmp_path, yaml.safe_load(line.replace(PORT, port))["model_info"])
        check_python(port)
        server.signal(signal.SIGINT)
        server.wait()


def check_litellm(folder: Path, info: dict[str, Any]) -> None:
    upstream = {"model": "openai/x", "api_base": "http://127.0.0.1:1", "api_key": "unused"}
    config = {
        "model_list": [
            *(
                {"model_name": name, "litellm_params": upstream}
                for name in ("gpt-4o", "gpt-4o-mini")
            ),
            {"model_name": "routed", "litellm_params": upstream, "model_info": info},
        ],
        "litellm_settings": {"callbacks": ["routellm_plugins.litellm.proxy_handler"]},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    done = called("check", "--config", str(path))
    assert (done.returncode, done.stderr) == (0, "")


def check_python(port: str) -> None:
    (sample,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    code = f"""
from llama_index.core.llms import MockLLM
from langchain_core.language_models import FakeListChatModel
{sample.split("llm = ")[0]}
strong, weak = FakeListChatModel(responses=["a"]), FakeListChatModel(responses=["b"])
llm = {sample.split("llm = ")[1]}
strong, weak = MockLLM(), MockLLM()
llm = {sample.split("llm = ")[2]}
"""
    run = [sys.executable, "-c", code.replace(PORT, port)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
