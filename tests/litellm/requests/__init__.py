"""What clients send by each endpoint, and where it goes."""
