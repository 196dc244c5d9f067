"""Rows in and out: label files, tables, digests."""
