"""Thresholds named by what people want."""
