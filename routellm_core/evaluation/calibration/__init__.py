"""Choose a threshold on prompts or labelled pairs of one's own."""
