"""Named parts: what plugins register, found and loaded by name."""
