"""Queries with the quality of both models' answers."""
