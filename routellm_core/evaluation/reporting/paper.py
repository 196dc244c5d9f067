"""What the RouteLLM paper prints for its routers, to be shown beside what is measured."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "[arXiv 2406.18665v4](https://arxiv.org/abs/2406.18665v4)"


@dataclass(frozen=True)
class PaperRow:
    """A router of the paper on one benchmark: point estimates without an interval."""

    router: str
    trained_on: str
    cpt_50: float
    """In percent."""
    cpt_80: float
    """In percent."""
    apgr: float


PAPER: dict[str, tuple[PaperRow, ...]] = {
    "mmlu": (
        PaperRow("random", "-", 50.1, 79.9, 0.500),
        PaperRow("bert", "arena", 49.4, 77.8, 0.502),
        PaperRow("causal_llm", "arena", 48.9, 77.9, 0.499),
        PaperRow("mf", "arena", 45.0, 76.9, 0.524),
        PaperRow("sw_ranking", "arena", 55.8, 80.3, 0.473),
        PaperRow("bert", "arena + gold", 41.3, 72.2, 0.572),
        PaperRow("causal_llm", "arena + gold", 35.5, 70.3, 0.600),
        PaperRow("mf", "arena + gold", 35.5, 71.4, 0.597),
        PaperRow("sw_ranking", "arena + gold", 35.4, 71.6, 0.603),
    ),
    "gsm8k": (
        PaperRow("random", "-", 50.0, 80.1, 0.497),
        PaperRow("bert", "arena", 58.8, 83.8, 0.438),
        PaperRow("causal_llm", "arena", 56.1, 83.6, 0.461),
        PaperRow("mf", "arena", 53.6, 85.2, 0.475),
        PaperRow("sw_ranking", "arena", 54.4, 82.1, 0.475),
        PaperRow("bert", "arena + judge", 44.8, 79.1, 0.531),
        PaperRow("causal_llm", "arena + judge", 33.6, 63.3, 0.622),
        PaperRow("mf", "arena + judge", 38.8, 72.6, 0.565),
        PaperRow("sw_ranking", "arena + judge", 41.2, 72.2, 0.568),
    ),
    "mt-bench": (
        PaperRow("random", "-", 49.0, 78.1, 0.500),
        PaperRow("bert", "arena", 78.1, 87.6, 0.391),
        PaperRow("causal_llm", "arena", 28.8, 77.5, 0.573),
        PaperRow("mf", "arena", 25.3, 74.3, 0.580),
        PaperRow("sw_ranking", "arena", 37.9, 59.0, 0.610),
        PaperRow("bert", "arena + judge", 19.6, 34.0, 0.751),
        PaperRow("causal_llm", "arena + judge", 31.5, 48.8, 0.679),
        PaperRow("mf", "arena + judge", 13.4, 31.3, 0.802),
        PaperRow("sw_ranking", "arena + judge", 23.2, 36.0, 0.759),
    ),
}
"""By benchmark, as the paper's main tables have them."""
