"""Learn from the outcomes of every model that was measured: what routers share."""
