"""The tests of routellm_core, in rooms like its own."""
