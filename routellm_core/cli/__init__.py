"""The command line: `routellm`, one file per command."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="routellm",
    help="Strong/weak LLM routing: score, check, train, evaluate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
