"""Each floor of the house imports only from the floors below it.

Imports are read with ``ast``, so that those inside functions count too. Imports under ``if
TYPE_CHECKING`` are not exempt: a type is knowledge of the floor it comes from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = "routellm_core"
PLUGINS = "routellm_plugins"

FLOORS: tuple[tuple[str, ...], ...] = (
    (
        *("version", "errors", "contracts", "decision", "hookspecs", "model_names"),
        *("prompt", "settings", "overrides"),
        *("optional", "openai_client", "progress", "breaker", "locks", "interrupts"),
    ),
    ("data",),
    ("rules",),
    ("checkpoints",),
    ("registry",),
    ("encoders",),
    ("routers",),
    ("policy",),
    ("evaluation",),
    ("training",),
    ("traffic",),
    ("serving",),
    ("cli",),
)
"""The modules and folders of ``routellm_core``, lowest floor first."""

FACADES = {CORE, f"{CORE}.testing"}
"""Gather names of several floors for users; nothing in ``routellm_core`` imports them."""

FRAMEWORKS = ("litellm", "langchain", "langgraph", "llama_index")
ADAPTERS = ("litellm", "langchain", "llama_index")

ADAPTER_FLOORS = {
    "litellm": (
        *("config", "reporting", "groups", "deciding", "shadow"),
        *("classifier", "strategy", "proxy"),
    ),
    "langchain": (
        *("models", "reporting", "settings", "asking", "shadow", "routed"),
        *("chat_model", "middleware", "decision_model"),
    ),
}
"""The modules and folders of adapters that have rooms, lowest floor first."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_of(path): path
    for package in (CORE, PLUGINS)
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imports_in(source: str, module: str, *, package: bool) -> Iterator[tuple[str, str | None]]:
    """Yield every import of a module: what it is from, absolute, and which name is taken of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                here = parts[: len(parts) - node.level + package]
                base = ".".join([*here, *([node.module] if node.module else [])])
            yield from ((base, alias.name) for alias in node.names)


def imported_by(module: str) -> set[str]:
    """Return the full names of the modules that a module imports."""
    path = SOURCES[module]
    found = set()
    source = path.read_text(encoding="utf-8")
    for base, name in imports_in(source, module, package=path.stem == "__init__"):
        inner = f"{base}.{name}"
        found.add(inner if inner in SOURCES else base)
    return found - {module}


IMPORTS = {module: imported_by(module) for module in SOURCES}


def floor_of(module: str) -> int | None:
    """Return the floor of a module of ``routellm_core``; None for one that has none."""
    parts = module.split(".")
    if parts[0] != CORE or module in FACADES:
        return None
    return next((at for at, names in enumerate(FLOORS) if parts[1] in names), None)


def circles(imports: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the groups of modules that import each other, directly or through others."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for other in imports[todo.pop()] & imports.keys():
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    reach = {module: reachable(module) for module in imports}
    return {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in imports
        if module in reach[module]
    }


def test_every_module_of_the_core_has_a_floor():
    without = {m for m in SOURCES if m.startswith(f"{CORE}.") and floor_of(m) is None} - FACADES
    assert without == set()


def test_no_import_leads_to_a_higher_floor():
    upwards = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in sorted(others)
        if (low := floor_of(module)) is not None
        and (((high := floor_of(other)) is not None and high > low) or other in FACADES)
    ]
    assert upwards == []


def test_no_modules_import_each_other():
    assert [sorted(circle) for circle in circles(IMPORTS)] == []


def test_the_core_imports_no_framework_and_no_adapter():
    unwanted = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        if module.split(".")[0] == CORE
        for other in sorted(others)
        if other.split(".")[0].startswith(FRAMEWORKS) or other.split(".")[0] == PLUGINS
    ]
    assert unwanted == []


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_imports_no_other(adapter: str):
    others = tuple(f"{PLUGINS}.{name}" for name in ADAPTERS if name != adapter)
    unwanted = [
        f"{module} imports {other}"
        for module, imported in IMPORTS.items()
        if f"{module}.".startswith(f"{PLUGINS}.{adapter}.")
        for other in sorted(imported)
        if f"{other}.".startswith(tuple(f"{name}." for name in others))
    ]
    assert unwanted == []


@pytest.mark.parametrize("adapter", ADAPTER_FLOORS)
def test_an_adapter_with_rooms_has_floors_as_well(adapter: str):
    """Its ``__init__`` loads on first use what users name."""
    floors, package = ADAPTER_FLOORS[adapter], f"{PLUGINS}.{adapter}."
    inner = {m: m.removeprefix(package).split(".")[0] for m in SOURCES if m.startswith(package)}
    assert set(inner.values()) == set(floors)
    upwards = [
        f"{module} imports {other}"
        for module, room in inner.items()
        for other in sorted(IMPORTS[module] & inner.keys())
        if floors.index(inner[other]) > floors.index(room)
    ]
    assert upwards == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("import a.b", ("a.b", None)),
        ("from . import y", ("pkg.sub", "y")),
        ("from ..other import y", ("pkg.other", "y")),
        ("def f():\n    from .z import y", ("pkg.sub.z", "y")),
        ("if TYPE_CHECKING:\n    from ... import y", ("", "y")),
    ],
)
def test_imports_of_every_form_are_found(line: str, found: tuple[str, str | None]):
    assert list(imports_in(line, "pkg.sub.module", package=False)) == [found]


def test_a_package_is_the_place_of_its_own_relative_imports():
    assert list(imports_in("from .x import y", "pkg.sub", package=True)) == [("pkg.sub.x", "y")]


def test_circles_are_found():
    imports = {"a": {"b"}, "b": {"c", "os"}, "c": {"a"}, "d": {"a"}}
    assert circles(imports) == {frozenset("abc")}
