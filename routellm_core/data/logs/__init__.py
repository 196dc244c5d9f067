"""Logs of calls of language models, in the forms in which teams have them: rows to calls."""
