"""`routellm serve`: scores and decisions over HTTP, for several processes to share."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ..errors import ConfigError
from ..policy.policies import policy_of
from ..routers.remote.server import TOKEN, is_token
from ..settings import PolicySettings, validate_settings
from .shared.options import Checkpoint, RouterName, RouterOptions, options_of_router

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    router: RouterName = "mf",
    checkpoint: Checkpoint = None,
    option: RouterOptions = None,
    strong_share: Annotated[
        float | None, typer.Option(help="Also serve decisions, at this share to the strong model.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="The same, at this threshold.")] = None,
    calibration: Annotated[
        str | None, typer.Option(help="The same, with the threshold of this calibration file.")
    ] = None,
    on_error: Annotated[str, typer.Option(help="The decision when scoring fails.")] = "strong",
    timeout_ms: Annotated[
        float, typer.Option(help="Time limit of a prompt, in milliseconds.")
    ] = 1000.0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: a free one.")
    ] = 8100,
    token_env: Annotated[
        str | None,
        typer.Option(help="Environment variable with the token that requests must send."),
    ] = None,
    max_batch: Annotated[
        int,
        typer.Option(min=1, help="Maximum prompts, from several requests, per call of the router."),
    ] = 32,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Maximum waiting prompts; further requests are refused.")
    ] = 1024,
    drain_s: Annotated[
        float,
        typer.Option(min=0, help="Seconds to keep serving, as not ready, after SIGTERM."),
    ] = 5.0,
) -> None:
    """Serve scores of prompts and decisions on conversations over HTTP, until SIGTERM.

    `router: {remote: http://HOST:PORT}` in the settings of any adapter scores with this server.
    """
    from ..serving.app import ScoringApp
    from ..serving.scorer import Limits
    from ..serving.server import make_server

    how_much = {"strong_share": strong_share, "threshold": threshold, "calibration": calibration}
    settings = validate_settings(
        PolicySettings,
        {
            "router": router,
            "router_options": options_of_router(option, checkpoint),
            "on_error": on_error,
            "timeout_ms": timeout_ms,
            **{name: value for name, value in how_much.items() if value is not None},
        },
    )
    token = _token(host, token_env)
    app = ScoringApp(settings, Limits(max_batch=max_batch, max_waiting=max_waiting), token)
    server = make_server(app, host, port, drain_s)
    # Reports mistakes, loads the router, and digests its weights, before traffic.
    _ = policy_of(app.settings).router.fingerprint
    sockets = None
    if port == 0:
        sockets = [server.config.bind_socket()]
        port = sockets[0].getsockname()[1]
    typer.echo(f"{router} is served on http://{host}:{port}")
    server.run(sockets)


def _token(host: str, token_env: str | None) -> str | None:
    """Return the token that requests must bear; None if they need none.

    Raises:
        ConfigError: other machines can reach the server, and there is no token.
    """
    if token_env is None:
        if host not in _LOOPBACK:
            raise ConfigError(
                f"--host {host} accepts requests from other machines: give --token-env NAME, an "
                "environment "
                "variable that holds the token they must send"
            )
        return None
    token = os.environ.get(token_env, "").strip()
    if not token:
        raise ConfigError(f"--token-env {token_env}: that environment variable is not set")
    if not is_token(token):
        raise ConfigError(f"--token-env {token_env} does not hold a token: {TOKEN}")
    return token
