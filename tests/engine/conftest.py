"""Each test of the engine gets a house of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, f"sqlite:///{tmp_path}/store.db")
    yield house
    house.close()
