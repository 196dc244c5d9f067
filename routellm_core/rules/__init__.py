"""Rules that turn what users ask for into thresholds."""
