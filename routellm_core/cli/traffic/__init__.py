"""Commands for a user's own traffic."""
