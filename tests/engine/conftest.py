"""Each test of the engine gets a house of its own: `house` on SQLite, `any_house` on every store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.store.conftest import postgresql_server

from .house import House

__all__ = ["postgresql_server"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, f"sqlite:///{tmp_path}/store.db")
    yield house
    house.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    url = f"sqlite:///{tmp_path}/store.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_server").url(f"t{uuid4().hex}")
    house = House(tmp_path, url)
    yield house
    house.close()
