"""What importing costs and what it must not drag in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import routellm_core

HEAVY = ["torch", "transformers", "pandas", "litellm", "langchain_core", "llama_index", "model2vec"]


def test_importing_and_deciding_loads_nothing_heavy():
    code = f"""
import sys
from routellm_core import RoutingPolicy
RoutingPolicy("random", strong_share=0.3).decide("hello")
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


GROUND = {
    *("contracts", "decision", "errors", "hookspecs", "model_names", "openai_client"),
    *("optional", "prompt_text", "settings", "version"),
}
CORE = Path(routellm_core.__file__).parent
FLOORS = ["data", "rules", "checkpoints", "registry", "encoders", "routers"]
"""The folders of routellm_core up to the routers, the lowest first. Below them are modules of the
ground floor, which import from no folder; above them is the rest."""


def _imported(path: Path) -> set[str]:
    """Return what a file imports of routellm_core, anywhere in it, such as ``routers.bert``."""
    package = ["routellm_core", *path.relative_to(CORE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {
        name.removeprefix("routellm_core.") for name in found if name.startswith("routellm_core.")
    }


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_from_the_floors_below(floor: str) -> None:
    lower = FLOORS[: FLOORS.index(floor) + 1]
    above = {path.stem for path in CORE.iterdir()} - set(lower) - GROUND
    for path in (CORE / floor).rglob("*.py"):
        wrong = {name for name in _imported(path) if name.split(".")[0] in above}
        assert not wrong, f"{path} imports {wrong} from a higher floor"


@pytest.mark.parametrize("module", sorted(GROUND))
def test_the_ground_floor_imports_from_no_other(module: str) -> None:
    names = {name.split(".")[0] for name in _imported(CORE / f"{module}.py")}
    assert names & {path.stem for path in CORE.iterdir()} <= GROUND


def test_mf_and_sw_ranking_are_given_their_encoder_and_share_no_module() -> None:
    for router, other in (("mf", "sw_ranking"), ("sw_ranking", "mf")):
        for path in (CORE / "routers" / router).glob("*.py"):
            wrong = ("registry", f"routers.{other}")
            assert not [name for name in _imported(path) if name.startswith(wrong)], path
