"""The one way from what a call asks to the model it goes to."""
