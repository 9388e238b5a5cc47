"""A short chaos on each store: what `make chaos` does for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..store import postgresql
from .chaos import chaos_on


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_is_there_twice(kind: str, tmp_path: Path) -> None:
    if kind == "postgresql" and postgresql.binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # The server's start takes seconds: it is there on one of the two.
    with chaos_on(kind, tmp_path, seed=20, workers=2, servers=int(kind == "sqlite")) as chaos:
        chaos.run(roots=14, faults=4)
        assert chaos.wrong() == []
