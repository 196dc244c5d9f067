"""The encoders: each turns prompts into vectors."""
