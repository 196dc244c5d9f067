"""Rows in and out: label files, tables, digests; logs of calls in a folder of their own."""
