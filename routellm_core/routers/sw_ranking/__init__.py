"""Router ``sw_ranking``: similarity-weighted ranking."""
