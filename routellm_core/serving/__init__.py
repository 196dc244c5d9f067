"""A small HTTP service that scores and decides: `routellm serve`."""
