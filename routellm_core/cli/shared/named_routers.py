"""Trained routers, as they are named on the command line: ``NAME`` or
``NAME=FOLDER``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...checkpoints.learned import count_learned, learned_by
from ...contracts import Router
from ...errors import ConfigError


@dataclass(frozen=True)
class NamedRouter:
    """A router to judge."""

    router: str
    options: dict[str, str]

    def load(self) -> Router:
        """Return the router. Raises what ``load_router`` does."""
        from ...registry.loading import load_router

        return load_router(self.router, **self.options)

    def learned_of(self, prompts: Sequence[str]) -> int:
        """Return how many of the prompts its checkpoint learned."""
        learned = learned_by(self.router, self.options.get("checkpoint"))
        return count_learned(prompts, learned)


def named_routers(
    written: Sequence[str], checkpoints: Sequence[str] = (), *, option: str = "--router"
) -> dict[str, NamedRouter]:
    """Return routers by what they are called in results: ``NAME``, or ``NAME=`` and the last part
    of the checkpoint's name.

    Args:
        written: as the user wrote them; repetitions count once.
        checkpoints: of the only router; several are several routers.
        option: what the user wrote them under.

    Raises:
        ConfigError: one has no folder after ``=``, a checkpoint besides, or another's name.
    """
    found: dict[str, NamedRouter] = {}
    for each in dict.fromkeys(written):
        router, equals, where = each.partition("=")
        if equals and (checkpoints or not where):
            raise ConfigError(
                f"{option} {each}: write NAME=FOLDER, and leave out --checkpoint"
                if checkpoints
                else f"{option} {each}: write NAME, or NAME=FOLDER"
            )
        for folder in dict.fromkeys(checkpoints or [where]):
            shown = equals or len(set(checkpoints)) > 1
            name = f"{router}={Path(folder).name}" if shown else router
            if name in found:
                raise ConfigError(f"two routers are called '{name}': rename one of the folders")
            found[name] = NamedRouter(router, {"checkpoint": folder} if folder else {})
    return found


def learned_lines(
    named: Mapping[str, NamedRouter], prompts: Sequence[str], of: str
) -> Iterator[str]:
    """Yield a line for each router that learned some of the prompts.

    Args:
        named: routers.
        prompts: what they are judged on.
        of: what the prompts are called.
    """
    for name, each in named.items():
        count = each.learned_of(prompts)
        if count:
            yield (
                f"{name} learned {count:,} of the {len(prompts):,} prompts of {of}, so its figures "
                "there are too good: judge it on others"
            )
