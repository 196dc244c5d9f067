"""Scores of a server that `routellm serve` runs, for several processes to share."""
