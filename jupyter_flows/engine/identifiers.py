"""Ids of executions and savepoints: short, unique, and in the order of their making."""

from __future__ import annotations

import os
import threading
import time

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # without letters that look alike
_PAIRS = [one + other for one in _DIGITS for other in _DIGITS]
_SHIFTS = range(80, -1, -10)
_RANDOM_BITS = 42
_guard = threading.Lock()
_last = 0
#: Chance is asked of the system in advance: one system call for many ids. A fork must not have its parent's.
_CHANCE_BYTES = 4096
_chance = memoryview(b"")


def _forget_chance() -> None:
    global _chance
    _chance = memoryview(b"")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_chance)


def _random_bits(count: int) -> int:
    """At most 64. Call it with the guard held."""
    global _chance
    if len(_chance) < 8:
        _chance = memoryview(os.urandom(_CHANCE_BYTES))
    taken, _chance = _chance[:8], _chance[8:]
    return int.from_bytes(taken, "little") >> (64 - count)


def new_id() -> str:
    """18 characters: milliseconds since 1970, then chance. In one process later ones sort after earlier."""
    global _last
    moment = time.time_ns() // 1_000_000
    with _guard:
        number = (moment << _RANDOM_BITS) | _random_bits(_RANDOM_BITS)
        if number >> _RANDOM_BITS <= _last >> _RANDOM_BITS:
            number = _last + 1 + _random_bits(16)
        _last = number
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
