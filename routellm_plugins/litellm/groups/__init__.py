"""LiteLLM's Router and proxy: the groups that serve an alias, and the alias's own entry."""
