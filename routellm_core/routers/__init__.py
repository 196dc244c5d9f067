"""The routers: each turns prompts into strong win rates."""
