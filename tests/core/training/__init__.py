"""Training of all four routers, and cross-validation."""
