"""How well routers, thresholds and labels do."""
