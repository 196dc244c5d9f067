"""Commands that train routers, or check what they learn from."""
