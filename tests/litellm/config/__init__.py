"""Configs: their mistakes, starts, versions and deployment files."""
