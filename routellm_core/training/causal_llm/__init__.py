"""Train router ``causal_llm``."""
