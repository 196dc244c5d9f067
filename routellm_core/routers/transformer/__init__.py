"""What routers made of a transformer share."""
