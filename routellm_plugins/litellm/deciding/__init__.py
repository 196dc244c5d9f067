"""What a request asks of routing."""
