"""Router ``bert``: a fine-tuned encoder of transformers' kind."""
