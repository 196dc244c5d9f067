"""The command line: `routellm`, by what they are for."""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from ..errors import RouteLLMError
from ..interrupts import handled
from ..version import __version__
from .calibrate import calibrate
from .evaluate import evaluate
from .pairs import pairs
from .score import score
from .serve import serve
from .traffic.adapt import adapt
from .traffic.audit import audit
from .traffic.explored import explored
from .traffic.label import label
from .traffic.report import report, store_app
from .training.cross_validate import cross_validate
from .training.data_check import data_app
from .training.distill import distill
from .training.push import push
from .training.train import train

app = typer.Typer(
    name="routellm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_INTERRUPTED, _TERMINATED = 130, 143
"""The exit codes after Ctrl-C and SIGTERM, as shells have them."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"routellm-plugins {__version__}")
        raise typer.Exit


@app.callback()
def _routellm(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Strong/weak LLM routing: score prompts, check a gateway's config, train, evaluate."""


app.command()(score)
app.command()(calibrate)
app.command()(audit)
app.command()(explored)
app.command()(evaluate)
app.command()(pairs)
app.command()(train)
app.add_typer(data_app)
app.command(name="cross-validate")(cross_validate)
app.command()(distill)
app.command()(report)
app.add_typer(store_app)
app.command()(label)
app.command()(adapt)
app.command()(push)
app.command()(serve)


_UsageError: Any = typer.BadParameter.__base__
"""What Typer raises for wrong arguments; by itself, it would draw a box around each."""


def main() -> None:
    """Run the command line. What went wrong is one line on stderr; the exit code is 2 for an
    expected error and for a file that cannot be read or written, 130 after Ctrl-C, and 143 after
    SIGTERM, which leaves no partial file either.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # prompts hold what a terminal may not show
    terminated: list[int] = []

    def terminate(number: int, frame: FrameType | None) -> None:
        terminated.append(number)
        if len(terminated) != 2:  # `timeout` sends it twice: let the first one end what it began
            raise KeyboardInterrupt

    try:
        with handled(terminate, signal.SIGTERM):
            code = app(standalone_mode=False)
    except RouteLLMError as error:
        _end_with(str(error))
    except _UsageError as error:
        _end_with(" ".join(error.format_message().split()))
    except OSError as error:
        where = error.filename2 or error.filename
        _end_with(f"{where or 'output'} cannot be read or written ({error.strerror or error})")
    except typer.Abort:
        sys.exit(1)
    except KeyboardInterrupt:  # while Typer puts the commands together
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        with handled(lambda number, frame: None, signal.SIGINT, signal.SIGTERM):
            typer.secho("terminated" if terminated else "interrupted", err=True)
        code = _TERMINATED if terminated else code
    sys.exit(code or 0)


def _end_with(message: str) -> NoReturn:
    if message:  # else it was a call without arguments, for which Typer has printed the help
        typer.secho(f"error: {message}", err=True, fg="red")
    sys.exit(2)
