"""`routellm status`: ask a running proxy whether it does what was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import typer
from rich.console import Console
from rich.table import Table

from routellm_core import ConfigError

from .status import PATH

_TIMEOUT_S = 30


def status(
    url: Annotated[str, typer.Option(help="The proxy, such as http://localhost:4000.")],
    key: Annotated[
        str | None,
        typer.Option(envvar="LITELLM_MASTER_KEY", help="Its master key, or an admin's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the proxy answers.")] = False,
) -> None:
    """Show the recent and the intended share of the strong model, for each alias of a proxy.

    The figures are those of the worker that answers: each counts its own calls since its start.
    The exit code is 1 if the traffic of an alias no longer fits its threshold.
    """
    answer = _asked(url, key)
    aliases = answer["aliases"]
    if as_json:
        typer.echo(json.dumps(answer))
    else:
        Console().print(_table(aliases, answer["process"]))
    warnings = [(each["alias"], each["warning"]) for each in aliases if each["warning"]]
    for alias, warning in warnings:
        typer.secho(f"warning: {alias}: {warning}", err=True, fg="yellow")
    if warnings:
        raise typer.Exit(1)


def _asked(url: str, key: str | None) -> dict[str, Any]:
    where = url.rstrip("/") + PATH
    if not where.startswith(("http://", "https://")):
        raise ConfigError(f"--url {url}: write the proxy's address, such as http://localhost:4000")
    request = Request(where, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:
            answer = json.loads(response.read())
        if {"process", "aliases"} <= answer.keys():
            return dict(answer)
    except HTTPError as error:
        # A proxy without a database answers 400 to another key, and 500 to none.
        if error.code in (400, 401, 403) or key is None:
            raise ConfigError(
                f"{where} refuses {'the' if key else 'to go without a'} key ({error.code}): give "
                "the master key with --key, or in LITELLM_MASTER_KEY"
            ) from error
        raise ConfigError(
            f"{where} answers {error.code}: is this a LiteLLM proxy with the callback "
            "routellm_plugins.litellm.proxy_handler?"
        ) from error
    except (OSError, HTTPException) as error:
        raise ConfigError(f"{where} cannot be reached ({error}): is the proxy running?") from error
    except (ValueError, AttributeError):
        pass
    raise ConfigError(f"{where} answers something else: is this a LiteLLM proxy?")


def _table(aliases: Iterable[Mapping[str, Any]], process: int) -> Table:
    table = Table(caption=f"calls of process {process}; failures since its start")
    table.add_column("alias", overflow="fold")
    for column in ("router", "threshold", "meant", "strong", "of calls", "distance", "failures"):
        table.add_column(column)
    for each in aliases:
        distance = _shown(each["distance"], ".2f")
        if each["p_value"] is not None:
            distance += f" (p {each['p_value']:.2g})"
        table.add_row(
            each["alias"],
            each["router"],
            f"{each['threshold']:.4f}",
            _shown(each["target_share"], ".1%"),
            _shown(each["share"], ".1%"),
            f"{each['scored']:,}",
            distance,
            ", ".join(f"{kind} {count}" for kind, count in each["errors"].items()) or "none",
        )
    return table


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
