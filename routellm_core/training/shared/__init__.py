"""What the training of every router shares."""
