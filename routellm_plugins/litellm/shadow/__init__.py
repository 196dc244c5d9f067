"""Shadow mode: what LiteLLM logs of requests is kept, and the other group called for a sample."""
