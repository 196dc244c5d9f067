"""Shadow mode, and the road from logs to a better router."""
