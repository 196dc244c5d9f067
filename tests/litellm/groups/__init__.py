"""An alias beside the plain group that it chooses."""
