"""A user's own traffic: audit, shadow store, labelling, adapting, report."""
