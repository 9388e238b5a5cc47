"""Iterators of every kind go on where they stood, in a process that never saw them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import snapshot

from .half_consumed import KINDS, NOT_KEPT
from .workers import ROOT, interpreters


@pytest.fixture
def _lines(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"line {n} é\n" for n in range(9)), encoding="utf-8")


def _ran(python: str, action: str, directory: Path) -> str:
    done = subprocess.run(
        [python, "-B", "-m", "tests.resumable.half_consumed", action, str(directory / "saved")],
        capture_output=True,
        text=True,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        check=False,
    )
    if "No module named" in done.stderr:
        pytest.skip(f"{python} has no packages: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("_lines")
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_half_consumed_iterators_go_on_in_another_process(version: str, tmp_path: Path) -> None:
    if version not in interpreters():
        pytest.skip(f"Python {version} is not installed")
    (tmp_path / "saved").mkdir()
    plain = _ran(interpreters()[version], "save", tmp_path).splitlines()
    again = _ran(interpreters()[version], "go_on", tmp_path).splitlines()
    assert len(plain) >= len(KINDS) - 1
    assert again == plain


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_c_keeps_to_itself_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        (tmp_path / str(number)).touch()
    names: dict[str, Any] = {"os": os, "re": re, "db": sqlite3.connect(":memory:")}
    kept = eval(NOT_KEPT[name], names)
    next(kept)
    missing = snapshot.save({"globals/kept": kept}, snapshot.MemoryChunks(), {}).missing
    assert len(missing) == 1
    assert missing[0].path.startswith("kept")
    assert "cannot be" in missing[0].reason
    assert "\n" not in missing[0].reason
