"""Train router ``sw_ranking``."""
