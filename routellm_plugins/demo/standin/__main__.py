"""Serve one stand-in until interrupted: ``python -m routellm_plugins.demo.standin``."""

from __future__ import annotations

import argparse
import threading

from .server import StandIn


def main() -> None:
    """Print the base URL, then serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="the model it stands for; else whichever is asked for")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with StandIn(options.model, port=options.port) as stand_in:
        print(stand_in.url, flush=True)  # noqa: T201  # the one thing a caller must learn
        threading.Event().wait()


if __name__ == "__main__":
    main()
