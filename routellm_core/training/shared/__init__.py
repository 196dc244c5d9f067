"""Code that the training of all routers shares."""
