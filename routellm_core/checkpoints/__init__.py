"""Weights on disk: safetensors, a config.json and a model card (README.md) per folder."""
