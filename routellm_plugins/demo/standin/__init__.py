"""A stand-in for an OpenAI-compatible model on loopback, for the demo, the examples and tests."""

from .server import StandIn

__all__ = ["StandIn"]
