"""Router ``causal_llm``: a causal LLM that rates the weak model's answer."""
