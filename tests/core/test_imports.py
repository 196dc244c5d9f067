"""What importing costs and what it must not drag in."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["torch", "transformers", "pandas", "litellm", "langchain_core", "llama_index", "model2vec"]


def test_importing_and_deciding_loads_nothing_heavy():
    code = f"""
import sys
from routellm_core import RoutingPolicy
RoutingPolicy("random", strong_share=0.3).decide("hello")
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
