"""Router ``mf``: matrix factorization."""
