"""Judge a way of training on what it did not learn."""
