"""Where the decision on a request is told: headers, logs and traces."""
