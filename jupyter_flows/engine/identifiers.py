"""Ids of executions and savepoints: short, unique, and in the order of their making."""

from __future__ import annotations

import secrets
import threading
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # without letters that look alike
_RANDOM_BITS = 42
_guard = threading.Lock()
_last = 0


def new_id() -> str:
    """18 characters: milliseconds since 1970, then chance. In one process later ones sort after earlier."""
    global _last
    moment = time.time_ns() // 1_000_000
    number = (moment << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _guard:
        if number >> _RANDOM_BITS <= _last >> _RANDOM_BITS:
            number = _last + 1 + secrets.randbits(16)
        _last = number
    return "".join(_DIGITS[(number >> shift) & 31] for shift in range(85, -1, -5))
