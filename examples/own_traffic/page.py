"""Write what a run prints into the page that shows it, docs/own-traffic.md."""

from __future__ import annotations

import re

BEGIN, END = "<!-- the road: make own-traffic -->", "<!-- end of the road -->"
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)


def refreshed(page: str, printed: str) -> str:
    """Return a page whose blocks of output, between ``BEGIN`` and ``END``, are of another run: each
    line is replaced by the next printed one that says the same with other figures.

    Args:
        page: Markdown; a line ``...`` in a block stands for what is cut.
        printed: all that the run has printed.

    Raises:
        LookupError: the run printed no such line; the message is the line.
    """
    lines = iter(printed.splitlines())

    def now(line: str) -> str:
        if line == "..." or not words_of(line):
            return line
        found = next((each for each in lines if words_of(each) == words_of(line)), None)
        if found is None:
            raise LookupError(line)
        return found.rstrip()

    before, begin, rest = page.partition(BEGIN)
    road, end, after = rest.partition(END)
    pieces, last = [], 0
    for block in _BLOCK.finditer(road):
        pieces.append(road[last : block.start()])
        pieces += [f"{now(each)}\n" for each in block[0].splitlines()]
        last = block.end()
    return "".join([before, begin, *pieces, road[last:], end, after])


def words_of(line: str) -> str:
    """Return a line without figures and lines of tables."""
    return " ".join(
        re.sub(r"[-+]?[$]?[\d.,:+]*\d", "#", re.sub("[│┌┐└┘├┤┬┴┼─]", " ", line)).split()
    )
