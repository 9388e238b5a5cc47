"""Makes the exhibit of this version's savepoint format: `python -m tests.museum.make`.

Run it once for each new format version (or for something new that the present one can hold, under a new
name) and commit what it writes. Exhibits are never made again: they are bytes that people have in their
stores, and every later version must load them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot

HERE = Path(__file__).parent
KEY = "museum"
SOURCE = """
import collections, dataclasses, datetime, enum, functools, sys

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Order:
    id: int
    lines: list = dataclasses.field(default_factory=list)

class Counter:
    made = 0
    def __init__(self):
        Counter.made += 1
        self.count = 0
    def add(self):
        self.count += 1
        return self.count

Point = collections.namedtuple("Point", "x y")

def counter():
    count = 0
    def add():
        nonlocal count
        count += 1
        return count
    def read():
        return count
    return add, read

def double(value):
    return value * factor

factor = 2
rows = [1, 2, {"three": 3.5}, None, True, b"bytes", 2**100]
same_rows = rows
order = Order(7, rows)
colour = Colour.RED
point = Point(1, 2)
counting = Counter()
bound = counting.add
add, read = counter()
add()
when = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)
cycle = []
cycle.append(cycle)
partial = functools.partial(double, 21)
iterator = iter([1, 2, 3])
next(iterator)
words = {"a", "b"}
try:
    raise ValueError("kept") from KeyError("cause")
except ValueError as raised:
    error = raised
not_kept = sys._getframe()
"""
#: Each must hold in a namespace that the exhibit was loaded into.
CLAIMS = """
rows == [1, 2, {"three": 3.5}, None, True, b"bytes", 2**100]
same_rows is rows and order.lines is rows
order == Order(7, rows) and Order(1).lines == []
colour is Colour.RED
point == Point(1, 2) and point.y == 2
Counter.made == 1 and bound() == 1 and counting.count == 1
add() == 2 and read() == 2
when.isoformat() == "2026-01-02T03:04:00+00:00"
cycle[0] is cycle
partial() == 42 and double(4) == 8
next(iterator) == 2
words == {"a", "b"}
str(error) == "kept" and type(error.__cause__) is KeyError
type(not_kept).__name__ == "Placeholder"
"""


def main() -> None:
    os.environ["JUPYTER_FLOWS_KEY"] = KEY
    where = HERE / f"format-{snapshot.FORMAT_VERSION}"
    if where.exists():
        sys.exit(f"{where} exists: exhibits are never made again")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(resumable.compile_unit(SOURCE, "museum.py").code, namespace)
    objects = {
        f"globals/{name}": value
        for name, value in namespace.items()
        if not name.startswith("__") and name != "raised"
    }
    manifest = snapshot.save(objects, snapshot.DirectoryChunks(where / "chunks"), namespace)
    (where / "manifest").write_bytes(manifest.to_bytes())
    _make_series(where.with_name(where.name + "-series"), objects, namespace)


def _make_series(where: Path, objects: dict[str, Any], namespace: dict[str, Any]) -> None:
    """The last one of a series: what refers to rows of a large group is a group of its own."""
    rows = [{"number": number, "tags": [number]} for number in range(3000)]
    objects |= {"globals/many_rows": rows, "globals/first_row": rows[0]}
    chunks = snapshot.DirectoryChunks(where / "chunks")
    manifest = snapshot.save({}, chunks, namespace)
    for _ in range(2):
        manifest = snapshot.save(objects, chunks, namespace, manifest)
    objects["globals/one_row"] = rows[7]
    manifest = snapshot.save(objects, chunks, namespace, manifest)
    if not any(group.base for group in manifest.body.groups):
        sys.exit("other threads ran, or nothing is watched here: once more, elsewhere")
    (where / "manifest").write_bytes(manifest.to_bytes())
    for file in (where / "chunks").rglob("*"):
        if file.is_file() and file.name not in manifest.chunks:
            file.unlink()


if __name__ == "__main__":
    main()
