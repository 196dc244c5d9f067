"""A redaction, as a user writes one."""

from __future__ import annotations


def mask(text: str) -> str:
    return text.replace("marmalade", "m*******e")
