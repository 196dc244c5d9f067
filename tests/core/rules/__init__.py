"""Rules: from scores to a choice, and what calibrates them."""
