"""A savepoint loads in a fresh process, also one of another Python minor version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAVE = """
import sys, pathlib
from jupyter_flows import snapshot
namespace = {"__name__": "__main__"}
exec('''
import dataclasses, enum, collections, datetime
@dataclasses.dataclass
class Order:
    id: int
    lines: list = dataclasses.field(default_factory=list)
class Colour(enum.Enum):
    RED = 1
class Point(collections.namedtuple('Point', 'x y')):
    pass
rows = [1, 2]
order, colour, when = Order(1, rows), Colour.RED, datetime.datetime(2026, 1, 2)
point = Point(1, 2)
error = ValueError('wrong')
words = {'b', 'a'}
''', namespace)
where = pathlib.Path(sys.argv[1])
objects = {"globals/" + name: value for name, value in namespace.items() if not name.startswith("__")}
manifest = snapshot.save(objects, snapshot.DirectoryChunks(where / "chunks"), namespace)
(where / "manifest").write_bytes(manifest.to_bytes())
"""
LOAD = """
import sys, pathlib
from jupyter_flows import snapshot
where, namespace = pathlib.Path(sys.argv[1]), {"__name__": "__main__"}
manifest = snapshot.Manifest.from_bytes((where / "manifest").read_bytes())
found = snapshot.load(manifest, snapshot.DirectoryChunks(where / "chunks"), namespace)
namespace.update({name.removeprefix("globals/"): value for name, value in found.items()})
exec('''
assert order.lines is rows and order == Order(1, [1, 2]) and Order(3).lines == []
assert colour is Colour.RED and Colour(1) is Colour.RED
assert point == Point(1, 2) and point.x == 1
assert when.year == 2026 and str(error) == 'wrong' and words == {'a', 'b'}
print('all there')
''', namespace)
"""


def pythons() -> list[str]:
    """This Python, others on the path, and those named in JUPYTER_FLOWS_TEST_PYTHONS (with the packages)."""
    found = [sys.executable]
    for minor in ("3.11", "3.12", "3.13"):
        named = shutil.which(f"python{minor}")
        if named is not None and sys.version_info[:2] != tuple(map(int, minor.split("."))):
            found.append(named)
    return found + os.environ.get("JUPYTER_FLOWS_TEST_PYTHONS", "").split(os.pathsep)


def run(python: str, code: str, where: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "test"}
    return subprocess.run(
        [python, "-c", code, str(where)], capture_output=True, text=True, env=environment, cwd=where
    )


@pytest.mark.parametrize("python", sorted(set(filter(None, pythons()))))
def test_loads_in_another_process(tmp_path: Path, python: str) -> None:
    saved = run(sys.executable, SAVE, tmp_path)
    assert saved.returncode == 0, saved.stderr
    if run(python, "import msgspec, xxhash, zstandard", tmp_path).returncode:
        pytest.skip(f"{python} lacks a package that snapshots need")
    loaded = run(python, LOAD, tmp_path)
    assert loaded.stdout.strip() == "all there", loaded.stderr
