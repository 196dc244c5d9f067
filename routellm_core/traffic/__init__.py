"""Own traffic: from logs and labels of one's own to a router for it."""
