"""Shadow mode: for a sample of requests the other model is called as well, for no user."""
