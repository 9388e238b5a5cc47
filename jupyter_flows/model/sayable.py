"""Texts that people read, and that are written down as UTF-8."""

from __future__ import annotations

from typing import Any


def sayable(text: str) -> str:
    r"""The text, with what UTF-8 cannot say (half of a surrogate pair, as in names of files that are not
    text) written as an escape: ``\udcff``."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def sayable_inside(value: Any) -> Any:
    """The same for all texts in dictionaries, lists and tuples."""
    if isinstance(value, str):
        return sayable(value)
    if isinstance(value, dict):
        return {sayable_inside(key): sayable_inside(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(sayable_inside, value))
    return value
