"""Calls of a Router about files and batches. An alias's are in the account of its own entry.

LiteLLM keeps a file and a batch under the id of the entry that has them, looks them up by that id
later, and lets a key see them that may use the name of that entry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

BATCH_CALLS = (
    "acancel_batch",
    "acreate_batch",
    "acreate_file",
    "afile_content",
    "afile_delete",
    "alist_batches",
    "aretrieve_batch",
)


@dataclass
class _Call:
    being_served: bool = True


_call: ContextVar[_Call | None] = ContextVar("routellm_batch_call", default=None)


def about_batch() -> bool:
    """Whether such a call is being served here.

    A client can put into a request for an answer whatever a call about a batch has, and cannot make
    it another call.
    """
    call = _call.get()
    return call is not None and call.being_served


def noted(call: Callable[..., Any], find: Callable[[str], object]) -> Callable[..., Any]:
    """Return a call about files or batches that says so while it is served.

    Args:
        call: a method of a Router.
        find: finds the route of a model name, from the model list as it is now. LiteLLM sends files
            without asking what selects deployments, and the alias's entry has to be of now.
    """

    @functools.wraps(call)
    async def noting(*given: Any, **named: Any) -> Any:
        find(str(given[0] if given else named.get("model")))
        served = _Call()
        before = _call.set(served)
        try:
            return await call(*given, **named)
        finally:
            served.being_served = False  # for what it started and did not wait for, such as logs
            _call.reset(before)

    return noting
