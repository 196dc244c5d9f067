"""From logs to a deployed, better router, on stand-in models whose truth is known.

python -m examples.own_traffic [--repetitions 200] [--keep FOLDER] [--page docs/own-traffic.md]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from .coverage import print_coverage
from .page import refreshed
from .road import Sizes, walk
from .world import make_world


def main() -> None:
    """Walk the road, then repeat its estimates on fresh draws and count how often they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200, help="of the simulation")
    parser.add_argument("--keep", type=Path, help="a new folder for all files")
    parser.add_argument("--page", type=Path, help="a page whose output becomes that of this run")
    given = parser.parse_args()
    console, started = Console(width=100, record=True), time.monotonic()
    with ExitStack() as stack:
        if given.keep is None:
            temporary = tempfile.TemporaryDirectory(prefix="own-traffic-")
            folder = Path(stack.enter_context(temporary))
        else:
            folder = given.keep.absolute()
            folder.mkdir()
        walk(make_world(), folder, console, Sizes())
        if given.page is not None:
            printed = console.export_text().replace(f"{folder}/", "")
            text = refreshed(given.page.read_text(encoding="utf-8"), printed)
            given.page.write_text(text, encoding="utf-8")
    console.print(f"\n{time.monotonic() - started:.0f} s from logs to here\n")
    print_coverage(console, make_world(), given.repetitions)
    console.print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
