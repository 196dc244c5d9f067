"""Train routers on preference battles and gold labels."""
