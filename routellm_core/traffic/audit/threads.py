"""Tell conversations apart that begin alike, such as all those that begin with "hello"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .columns import Calls

Ids = NDArray[np.uint64]

_MIX = np.uint64(0x9E3779B97F4A7C15)


def threads_of(calls: Calls) -> Ids:
    """Return a number of each call's conversation, shape (n,), equal for those of one.

    Calls that hold the same first answer are of one conversation. A call that holds none is the
    first of the next conversation that begins like it, if no later call is nearer to that.

    Args:
        calls: as logged.
    """
    has_answer = calls.answer != 0
    ids: Ids = calls.conversation ^ (calls.answer * _MIX)
    # The first call that holds each first answer, and what may have been asked before it.
    place = np.arange(len(calls))
    when = np.where(np.isnan(calls.when), 0.0, calls.when)
    later = np.flatnonzero(has_answer)
    later = later[np.lexsort((place[later], when[later], ids[later]))]
    _, firsts = np.unique(ids[later], return_index=True)
    begun = later[firsts]
    asked = np.flatnonzero(~has_answer & np.isin(calls.conversation, calls.conversation[begun]))
    both = np.concatenate((asked, begun))
    both = both[np.lexsort((place[both], when[both], calls.conversation[both]))]
    open_calls: list[int] = []
    current = None
    for at in both.tolist():
        conversation = calls.conversation[at]
        if conversation != current:
            current, open_calls = conversation, []
        if not has_answer[at]:
            open_calls.append(at)
        elif open_calls:
            ids[open_calls.pop()] = ids[at]
    return ids
