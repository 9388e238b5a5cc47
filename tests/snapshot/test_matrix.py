"""Every kind of object in the matrix becomes what the docs say, in another process; saving changes none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .matrix import Library, libraries
from .matrix.__main__ import PAGE, page

ROOT = Path(__file__).resolve().parents[2]


def run(step: str, library: Library, where: Path) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "matrix"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.snapshot.matrix.process", step, library.name, str(where)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((where / f"{step}.json").read_text())
    return result


@pytest.mark.parametrize("library", libraries(), ids=lambda library: library.name)
def test_every_kind_becomes_what_is_promised(library: Library, tmp_path: Path) -> None:
    if not library.is_installed:
        pytest.skip(f"{library.name} is not installed")
    saved, loaded = run("save", library, tmp_path), run("load", library, tmp_path)
    assert saved["changed"] == {}, "saving changed the object itself"
    wrong = {}
    for number, kind in enumerate(library.kinds):
        missing = loaded["missing"].get(f"kind_{number}", [])
        if kind.outcome == "named":
            if not any(kind.reason in one for one in missing):
                wrong[kind.name] = f"no placeholder that says {kind.reason!r}: {missing}"
        elif missing:
            wrong[kind.name] = str(missing)
        elif kind.name in loaded["different"]:
            wrong[kind.name] = loaded["different"][kind.name]
    assert wrong == {}


def test_the_docs_say_what_the_matrix_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.snapshot.matrix"


def test_the_matrix_is_wide() -> None:
    kinds = [(library.name, kind.name) for library in libraries() for kind in library.kinds]
    assert len(kinds) >= 300
    assert len(set(kinds)) == len(kinds)
