"""What a proxy logs, counts and shows of its routing."""
