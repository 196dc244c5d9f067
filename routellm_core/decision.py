"""The values passed through routing: what a call asks, and the decision on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

Tier = Literal["strong", "weak"]


@dataclass(frozen=True)
class Asked:
    """What a framework's call asks a policy to decide."""

    turns: tuple[str, ...] = ()
    """What the human wrote, oldest first. Where the last is blank, or there is none, nothing is
    scored."""
    before: str = ""
    """What is scored before the text of each turn, such as the system prompt."""
    parts: tuple[str, ...] = ()
    """The texts of all messages, oldest first, for ``hold: cache``; none where that is off."""
    session: str | None = None
    """Names the conversation, for ``sticky: conversation``; None if it has none."""
    begins: bool = False
    """Whether this is the first call of its conversation, whose name others may have that began
    alike."""
    settled: Tier | None = None
    """A choice that is already made, so that nothing is scored."""
    without_text: Tier | None = None
    """Where the call goes if there is nothing to score; None: where ``on_no_text`` says."""
    lacking: Mapping[Tier, str] = field(default_factory=dict)
    """What each model lacks for the call (``rules.fits``), of those that cannot serve it: they are
    not chosen, whatever else is said."""
    cause: str | None = None
    """What made the choice in ``settled`` or ``without_text``; becomes the decision's cause."""

    def about(self, text: str) -> Asked:
        """Return the same call, if it is about a text and not about what the human wrote."""
        return replace(self, turns=(text,), before="")


@dataclass(frozen=True)
class Decision:
    """Where a call goes, and why."""

    model: str
    """Which of the policy's models: ``strong`` or ``weak``."""
    score: float | None
    """Strong win rate in [0, 1]; None if nothing was scored."""
    threshold: float | None
    """Least score that goes to the strong model; None if the router could not be loaded."""
    router: str
    """Name of the router."""
    cause: str
    """``score``, ``momentum`` (an earlier turn decided), ``exploration`` (drawn at random),
    ``cache`` (``hold``), ``no_text``, ``conversation``, ``utility``, ``error:<Type>``, what the
    other model lacks (``context_window``, ``vision``, ``audio``, ``files``, ``tools``,
    ``structured_output``), or what an adapter settled by."""
    elapsed_ms: float
    """Time taken to decide, in milliseconds."""
    propensity: float | None = None
    """Probability, in (0, 1), with which the call went to this model, where calls are sent to the
    other one at random; None where they are not."""
    kept: bool = False
    """Whether its score was kept from an earlier call, so that nothing was scored."""
    draw: str | None = None
    """With ``propensity``: the same for calls that were sent one way by one draw, those of the same
    words within an hour, and another for any other; a digest by a key of the process."""

    @property
    def tier(self) -> Tier:
        """``model``, in routing between two models."""
        return cast("Tier", self.model)

    def as_metadata(self) -> dict[str, str | float | None]:
        """Return the decision as flat scalars, for headers, logs and traces; ``propensity`` and
        ``draw`` only where there are any.
        """
        values: dict[str, str | float | None] = {
            "tier": self.model,
            "score": self.score,
            "threshold": self.threshold,
            "router": self.router,
            "cause": self.cause,
            "elapsed_ms": self.elapsed_ms,
        }
        drawn = {"propensity": self.propensity, "draw": self.draw}
        return values | {name: value for name, value in drawn.items() if value is not None}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Decision:
        """Return the decision that ``as_metadata`` flattened.

        Raises:
            KeyError: a value is missing.
        """
        names = ("tier", "score", "threshold", "router", "cause", "elapsed_ms")
        found = cls(*[metadata[name] for name in names])
        return replace(found, propensity=metadata.get("propensity"), draw=metadata.get("draw"))
