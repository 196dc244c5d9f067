"""Stand-in models, the demo and the proxy process: for people, examples and tests."""
