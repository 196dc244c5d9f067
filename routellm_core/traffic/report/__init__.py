"""What the store tells: share, cost, saving, quality and drift of each route."""
