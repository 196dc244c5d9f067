"""What `routellm adapt` is worth by number of labels, beside other ways to use the same labels."""
