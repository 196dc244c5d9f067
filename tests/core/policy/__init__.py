"""The policy: from what is asked to a decision."""
