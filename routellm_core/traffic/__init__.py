"""A user's own traffic: what is kept of it, shadow mode, and what the report says."""
