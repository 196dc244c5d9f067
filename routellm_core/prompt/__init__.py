"""What of a request is the human's prompt: turns, harness text, told histories, side calls."""
