"""Move a router by labels of one's own traffic, and say whether to deploy it."""
