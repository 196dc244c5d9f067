"""What can be started and stopped, such as a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

R = TypeVar("R", bound="Running")


class Running(ABC):
    """Runs from ``start`` to ``stop``, or for as long as its context lasts."""

    @abstractmethod
    def start(self) -> object:
        """Start it, and return once it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def __enter__(self: R) -> R:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
