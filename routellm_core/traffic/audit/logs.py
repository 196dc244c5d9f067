"""Read the calls of several logs, row by row, past whatever is broken in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ...data.logs.call_forms import LoggedCall, SeenSpans
from ...data.logs.calls import Skipped, read_calls
from ...errors import DataError


def read_logs(
    paths: Iterable[Path], skipped: Skipped, ended: list[str], routes: Collection[str] = ()
) -> Iterator[LoggedCall]:
    """Yield the calls of files, in their order.

    Args:
        paths: as ``read_calls`` takes them.
        skipped: is told of the rows that could not be read.
        ended: is told why a file was not read to its end, or holds no calls.
        routes: only calls that asked for one of these; none: all.
    """
    seen = SeenSpans()
    for path in paths:
        try:
            for call in read_calls(path, skipped, lenient=True, seen=seen):
                if not routes or call.facts.route in routes:
                    yield call
        except DataError as error:
            ended.append(str(error))


def prompts_at(
    paths: Iterable[Path], positions: Sequence[int], routes: Collection[str] = ()
) -> list[str]:
    """Return the last turns of calls, by reading the files again.

    Args:
        paths: as for ``read_logs``.
        positions: of the calls among those that it yields.
        routes: likewise.
    """
    wanted = set(positions)
    found: dict[int, str] = {}
    for at, call in enumerate(read_logs(paths, Skipped(), [], routes)):
        if at in wanted:
            found[at] = call.turns[-1]
            if len(found) == len(wanted):
                break
    return [found[at] for at in positions]
