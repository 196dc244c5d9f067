"""Where the benchmarks find data that is not part of the repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def data_folder() -> Path:
    """Return the folder named by ``ROUTELLM_DATA``; end with one line if it names none."""
    folder = os.environ.get("ROUTELLM_DATA")
    if not folder:
        sys.exit("error: set ROUTELLM_DATA to the folder with eval/, train/ and validation/")
    return Path(folder)
