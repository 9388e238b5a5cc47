"""What one test teaches the compiler, and the texts of its files, must not count in the next one."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

import pytest

from jupyter_flows.resumable.knowledge import KNOWN, Knowledge


@pytest.fixture(autouse=True)
def _knows_nothing_yet() -> Iterator[None]:
    known, texts = vars(KNOWN).copy(), linecache.cache.copy()
    vars(KNOWN).update(vars(Knowledge()))
    yield
    vars(KNOWN).update(known)
    linecache.cache.clear()
    linecache.cache.update(texts)
