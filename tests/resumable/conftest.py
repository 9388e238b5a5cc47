"""What one test's programs teach the compiler must not count in the next test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_flows.resumable.knowledge import KNOWN, Knowledge


@pytest.fixture(autouse=True)
def _knows_nothing_yet() -> Iterator[None]:
    before = vars(KNOWN).copy()
    vars(KNOWN).update(vars(Knowledge()))
    yield
    vars(KNOWN).update(before)
