"""Import packages that only an extra installs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .errors import MissingExtraError


def require(module: str, extra: str, why: str) -> ModuleType:
    """Return an optional module.

    Args:
        module: what to import, such as ``torch``.
        extra: the extra of ``routellm-plugins`` that installs it.
        why: what needs it, which begins the error message: ``the router 'bert'``.

    Raises:
        MissingExtraError: it cannot be imported; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{why} needs {module} ({error}): pip install "routellm-plugins[{extra}]"'
        ) from error
