"""Adapters: strong/weak routing inside LLM frameworks, one subpackage each."""
