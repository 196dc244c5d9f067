"""What must be said beside the figures: which differences are significant, and how far to trust."""

from __future__ import annotations

from collections.abc import Iterator

from ..intervals import Estimate
from ..results import FEW, BenchmarkResult


def notes(result: BenchmarkResult) -> list[str]:
    """Return sentences that belong under a benchmark's table, in plain text."""
    return [*_differences(result), *_few(result), *_gapless(result)]


def significant(difference: Estimate) -> bool:
    """Whether a difference's 95 % interval leaves out 0."""
    return difference.low > 0 or difference.high < 0


def _differences(result: BenchmarkResult) -> Iterator[str]:
    """Every router against each baseline and against the routers after it."""
    found: list[tuple[str, bool]] = []
    seen: set[str] = set()
    for router in result.results:
        if router.kind != "router" or router.error:
            continue
        seen.add(router.name)
        for other, difference in router.over.items():
            if other not in seen:
                way = "above" if difference.value > 0 else "below"
                found.append((f"{router.name} {way} {other}", significant(difference)))
    if not found:
        return
    yes, no = ([text for text, is_so in found if is_so is wanted] for wanted in (True, False))
    chance = f"{len(found) / 20:.2g} would be by chance alone"
    yield (
        f"Differences in APGR significant at 95 %: {', '.join(yes) or 'none'}. "
        f"Not significant: {', '.join(no) or 'none'}. "
        f"Comparisons: {len(found)}, of which {chance} if there were no difference."
    )


def _few(result: BenchmarkResult) -> Iterator[str]:
    if result.units < FEW:
        what = "queries" if result.units == result.n else "groups of queries"
        yield f"{few(result.units, what)} Do not rank routers by this benchmark."


def few(count: int, what: str) -> str:
    """Return a sentence that says what intervals over fewer than ``FEW`` are worth."""
    return f"Only {count} {what}: with fewer than {FEW}, intervals are wide and rough."


def _gapless(result: BenchmarkResult) -> Iterator[str]:
    if result.gapless:
        yield (
            f"In {result.gapless} of {result.draws} resamples the strong model is no better than "
            "the weak one; they are left out, so the intervals are too narrow. Judge on more "
            "queries."
        )
