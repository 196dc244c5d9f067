"""Measurements of running proxies."""
