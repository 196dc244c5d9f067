"""What calls that went to the other model at random tell of quality and cost."""
