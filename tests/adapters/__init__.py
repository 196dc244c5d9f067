"""The same decisions, asked of every adapter."""

from __future__ import annotations

import os

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

from .langchain_adapter import LangChainAdapter
from .litellm_adapter import LiteLLMAdapter
from .llama_index_adapter import LlamaIndexAdapter

ADAPTERS = [LangChainAdapter, LiteLLMAdapter, LlamaIndexAdapter]
"""The drivers; each builds what an application of its framework builds."""
