"""A user's own function that says how good an answer is."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any

from ...data.digests import sha256_of
from ...errors import ConfigError
from .prompts import Prompt

FUNCTION = "function"

_HOW = "write module:function or file.py:function, such as my_judge.py:quality"


class OwnFunctionError(Exception):
    """A user's function failed, or returned no quality. The text says how, without the answer."""


@dataclass(frozen=True)
class OwnFunction:
    """Asks a user's function ``quality(answer, row)`` how good each answer is, from 0 to 1; ``row``
    is what the file says of the prompt. It is called in several threads.
    """

    name: str
    """As it was given: module:function."""
    rate: Callable[[str, Mapping[str, Any]], Any]
    source: str
    """Digest of the file that it is in: after an edit every answer is judged anew."""
    kind: str = FUNCTION

    @property
    def id(self) -> str:
        """Names all that a verdict depends on but the texts."""
        return f"{self.kind} {self.name} {self.source[:16]}"

    def questions(self, prompt: Prompt, strong: str, weak: str) -> Mapping[str, str]:
        """Return the answers, by tier."""
        return {"strong": strong, "weak": weak}

    def quality(self, prompt: Prompt, answer: str) -> float:
        """Return how good an answer is.

        Raises:
            OwnFunctionError: the function does not say.
        """
        try:
            found = self.rate(answer, prompt.row)
        except Exception as error:
            raise OwnFunctionError(f"it raised {type(error).__name__}") from error
        try:
            value = float(found)
        except (TypeError, ValueError) as error:
            raise OwnFunctionError(f"it returned a {type(found).__name__}, not 0 to 1") from error
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise OwnFunctionError(f"it returned {value:g}, not 0 to 1")
        return value

    def qualities(
        self, prompt: Prompt, strong: str, weak: str, verdicts: Mapping[str, float]
    ) -> tuple[float, float]:
        """Return the qualities of the strong and the weak model's answer, each in [0, 1]."""
        return verdicts["strong"], verdicts["weak"]


def own_function(written: str) -> OwnFunction:
    """Return the function that a user names.

    Args:
        written: ``module:function``, of a module on the path or in this folder, or
            ``file.py:function``.

    Raises:
        ConfigError: there is none.
    """
    place, _, name = written.rpartition(":")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else _from_path(place)
        found = getattr(module, name)
        source = Path(inspect.getsourcefile(module) or "").read_bytes()
    except Exception as error:
        raise ConfigError(
            f"--judge {written} cannot be imported ({type(error).__name__}: {error}): {_HOW}"
        ) from error
    if not callable(found):
        raise ConfigError(f"--judge {written} is not a function: {_HOW}")
    return OwnFunction(written, found, sha256_of(source.decode("utf-8", "replace")))


def _from_file(path: Path) -> ModuleType:
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018  # a name that ends in .py
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _from_path(name: str) -> ModuleType:
    # An installed command does not look in the folder that it is called in.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return import_module(name)
