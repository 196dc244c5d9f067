"""Results as tables, plots, pages and files."""
