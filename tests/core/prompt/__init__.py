"""Which words of a request are scored."""
