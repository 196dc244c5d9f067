"""The same decisions, asked of every adapter."""

from __future__ import annotations

import os

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

from .litellm_adapter import LiteLLMAdapter

ADAPTERS = [LiteLLMAdapter]
"""The drivers; each builds what an application of its framework builds."""
