"""Train router ``mf``."""
