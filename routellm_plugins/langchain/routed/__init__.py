"""Runnables that hand each call, whole, to the model that a decision picks."""
