"""Train router ``bert``."""
