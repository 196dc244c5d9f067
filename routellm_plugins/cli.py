"""The whole command line: that of the core, and the adapters' commands."""

from __future__ import annotations

from routellm_core.cli import app, main

from .demo.command import demo
from .litellm.config.command import check
from .litellm.reporting.status_command import status

__all__ = ["app", "main"]

app.command()(check)
app.command()(status)
app.command()(demo)
