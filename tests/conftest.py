"""What tests of several parts share: programs that a machine may lack, and the examples to work on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """`program("chromium", package="chromium")` gives its path; without it CI fails, a person is told."""

    def find(*names: str, package: str) -> str:
        for name in names:
            if found := shutil.which(name):
                return found
        reason = f"{' or '.join(names)} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    return find
