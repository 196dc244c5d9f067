"""Optional dependencies: import one, or say which extra to install."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtraError


def require(module: str, extra: str, why: str) -> ModuleType:
    """Import a module that only an extra of this package installs.

    Args:
        module: its full name, such as ``torch`` or ``pyarrow.parquet``.
        extra: name of the extra that installs it, such as ``train``.
        why: what needs it; the message reads "``why`` needs ``module``".

    Raises:
        MissingExtraError: it cannot be imported; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{why} needs {module} ({error}): pip install "routellm-plugins[{extra}]"'
        ) from error
