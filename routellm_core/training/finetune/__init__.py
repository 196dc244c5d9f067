"""Fine-tune a transformer."""
