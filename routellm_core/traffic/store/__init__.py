"""What is kept of traffic: requests, answers, feedback, and what the shadow calls cost."""
