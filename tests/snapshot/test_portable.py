"""What a notebook defines goes to a process of another Python version and back; nothing of it is bytecode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_processes import ROOT, pythons, run


def step(python: str, name: str, where: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "test"}
    done = subprocess.run(
        [python, "-m", "tests.snapshot.portable", name, str(where)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("other", sorted(set(filter(None, pythons()))))
def test_definitions_go_there_and_back(tmp_path: Path, other: str) -> None:
    """Claims are checked, and streams looked through, in each of the three processes."""
    if run(other, "import msgspec, xxhash, zstandard, attr", tmp_path).returncode:
        pytest.skip(f"{other} lacks a package that this needs")
    step(sys.executable, "save", tmp_path)
    step(other, "again", tmp_path)
    step(sys.executable, "load", tmp_path)
