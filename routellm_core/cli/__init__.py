"""The command line: `routellm`, one file per command."""

from __future__ import annotations

import sys

import typer

from ..errors import RouteLLMError
from .distill import distill
from .evaluate import evaluate
from .score import score
from .train import train_app

app = typer.Typer(
    name="routellm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _routellm() -> None:
    """Strong/weak LLM routing: score prompts, check a gateway's config, train, evaluate."""


app.command()(score)
app.command()(evaluate)
app.add_typer(train_app)
app.command()(distill)


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 2."""
    try:
        app()
    except RouteLLMError as error:
        typer.secho(f"error: {error}", err=True, fg="red")
        sys.exit(2)
