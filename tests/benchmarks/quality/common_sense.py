"""Whether routers put hard prompts above easy ones, in 185 pairs that anyone can read.

    python -m tests.benchmarks.quality.common_sense ROUTER...

Each file has a pair a line, in many subjects and four languages beside English; in those of form
``short-hard`` the hard prompt is short and the easy one long. The last column is how many of the
hard and of the easy prompts go to the strong model at ``strong_share`` 0.3. The 140 pairs of
``common_sense_apart.jsonl``, 60 of them requests to coding assistants, were written without
knowledge of the prompts that routers learn from or of the other 45. They are judged again behind
and before a document of 11,000 characters, in all of them the same: the licence of this project.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from routellm_core.registry.loading import load_router
from routellm_core.rules.share import threshold_for_share

PAIRS = Path(__file__).with_name("common_sense.jsonl")
APART = Path(__file__).with_name("common_sense_apart.jsonl")
DOCUMENT = Path(__file__).parents[3].joinpath("LICENSE").read_text(encoding="utf-8")
FORMS = {
    "behind a document": "Use the context to answer.\n\nContext:\n{document}\n\nQuestion: {prompt}",
    "before a document": "{prompt}\n\nContext:\n{document}",
}
"""How the pairs written apart are asked again."""

RESAMPLES = 1_000
SHARE = 0.3
"""Of calls to the strong model, by the quantiles that a bundled router carries."""


@dataclass(frozen=True)
class Sense:
    """How a router orders the pairs."""

    auc: float
    """Over all hard and easy prompts, how often the hard one is above; a tie is half."""
    interval: tuple[float, float]
    """Bootstrap 95 % interval of it, over pairs."""
    right: int
    """Pairs of which the hard one is above."""
    pairs: int
    short_right: int
    """The same of those whose hard prompt is short and whose easy one is long."""
    short_pairs: int
    strong: tuple[float, float] | None
    """Shares of the hard and of the easy prompts that reach the threshold, where there is one."""


def prompts(path: Path = PAIRS) -> list[dict[str, str]]:
    """Return a file's pairs: ``easy``, ``hard``, ``topic``, ``lang`` and ``form``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sense_of(
    score: Callable[[list[str]], NDArray[np.float64]],
    path: Path = PAIRS,
    threshold: float | None = None,
    form: str = "{prompt}",
) -> Sense:
    """Return how scores order the pairs of a file.

    Args:
        score: returns one for each of n prompts, shape (n,); a router's method, for instance.
        path: the file.
        threshold: the least score that goes to the strong model.
        form: how each prompt is asked, such as one of ``FORMS``.
    """
    pairs = prompts(path)
    easy, hard = (
        score([form.format(prompt=pair[key], document=DOCUMENT) for pair in pairs])
        for key in ("easy", "hard")
    )
    above = hard > easy
    short = np.array([pair["form"] == "short-hard" for pair in pairs])
    every = (np.sign(hard[:, None] - easy) + 1) / 2
    rng = np.random.default_rng(0)
    drawn = [
        every[np.ix_(rows, rows)].mean()
        for rows in rng.integers(0, len(pairs), (RESAMPLES, len(pairs)))
    ]
    least, most = np.quantile(drawn, [0.025, 0.975])
    return Sense(
        auc=float(every.mean()),
        interval=(float(least), float(most)),
        right=int(above.sum()),
        pairs=len(pairs),
        short_right=int(above[short].sum()),
        short_pairs=int(short.sum()),
        strong=None
        if threshold is None
        else (float((hard >= threshold).mean()), float((easy >= threshold).mean())),
    )


def length(prompts: list[str]) -> NDArray[np.float64]:
    """Return how many characters each of n prompts has, shape (n,): a router should do better."""
    return np.array([float(len(prompt)) for prompt in prompts])


def main(names: list[str]) -> None:
    judged: dict[str, tuple[Callable[[list[str]], NDArray[np.float64]], float | None]] = {}
    for name in names:
        router = load_router(name)
        quantiles = router.score_quantiles
        threshold = None if quantiles is None else threshold_for_share(quantiles, SHARE)
        judged[name] = (router.score, threshold)
    judged["prompt length"] = (length, None)
    asked = [(PAIRS, "first pairs", "{prompt}"), (APART, "pairs written apart", "{prompt}")]
    for path, title, form in [*asked, *((APART, title, form) for title, form in FORMS.items())]:
        sys.stdout.write(
            f"{title:19}  AUC                   pairs right   short hard above long easy   "
            "hard / easy sent to strong\n"
        )
        for name, (score, threshold) in judged.items():
            found = sense_of(score, path, threshold, form)
            auc = f"{found.auc:.3f} [{found.interval[0]:.3f}, {found.interval[1]:.3f}]"
            right = f"{found.right} of {found.pairs}"
            short = f"{found.short_right} of {found.short_pairs}"
            sent = "" if found.strong is None else "{:.0%} / {:.0%}".format(*found.strong)
            line = f"{name:19}  {auc:20}  {right:12}  {short:27}  {sent}"
            sys.stdout.write(line.rstrip() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["mf"])
