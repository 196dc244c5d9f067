"""Which releases of LiteLLM this package was tested with; does not import litellm."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

TESTED = ("1.102.0", "1.110.2")
"""The oldest and the newest."""


def version_warning(installed: str | None = None) -> str | None:
    """Return a line of advice if LiteLLM is not one of the tested releases; patches of the newest
    count as tested.

    Args:
        installed: its version; None looks it up.
    """
    if installed is None:
        try:
            installed = version("litellm")
        except PackageNotFoundError:
            return None
    oldest, newest = TESTED
    tested = f"routellm-plugins was tested with {oldest} to {newest}"
    if _minor(installed) < _minor(oldest):
        return f"litellm {installed} is too old, {tested}: pip install 'litellm>={oldest}'"
    if _minor(installed) > _minor(newest):
        major, minor = _minor(newest)
        return (
            f"litellm {installed} is newer than what is known to work, {tested}: try your "
            f"requests before traffic, or pip install 'litellm<{major}.{minor + 1}'"
        )
    return None


def _minor(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
