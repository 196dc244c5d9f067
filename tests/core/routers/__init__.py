"""Routers: scores, contracts, checkpoints."""
