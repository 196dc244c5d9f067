"""Router ``bert``: a fine-tuned BERT encoder."""
