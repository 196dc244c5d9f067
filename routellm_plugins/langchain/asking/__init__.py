"""What a call of LangChain asks: the turns, the question in them, needs, overrides."""
