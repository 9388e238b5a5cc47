"""With `resumable`: functions by their unit, continuations with their frames, in another process too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot

FLOW = """
import flow_stub
total = 0
class Order:
    def __init__(self, lines): self.lines = lines
    def count(self): return len(self.lines)
def handler(start):
    global total
    lines = [start]
    order = Order(lines)
    def add(value):
        nonlocal start
        start += value
        lines.append(value)
    add(1)
    for number in [1, 2, 3]:
        add(flow_stub.pause(number))
        total += number
    return order.count(), start, total, order.lines is lines
"""
DRIVER = """
import pathlib, sys, types
from jupyter_flows import resumable, snapshot
where, stop_at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
namespace = {"__name__": "__main__"}
chunks = snapshot.DirectoryChunks(where / "chunks")
stub = types.ModuleType("flow_stub")
def pause(number):
    if number == stop_at:
        continuation = resumable.capture(sys._getframe(1), pause)
        names = [name for name in namespace if not name.startswith("__") and name != "flow_stub"]
        objects = {"globals/" + name: namespace[name] for name in names}
        objects |= continuation.locals()
        objects["state/continuation"] = continuation
        manifest = snapshot.save(objects, chunks, namespace)
        assert not manifest.missing, manifest.missing
        (where / "manifest").write_bytes(manifest.to_bytes())
        sys.stdout.flush()
        import os; os._exit(7)
    return number * 10
stub.pause = pause
sys.modules["flow_stub"] = stub
if not (where / "manifest").exists():
    unit = resumable.compile_unit((where / "flow.py").read_text(), "flow.py")
    exec(unit.code, namespace)
    print(namespace["handler"](5))
else:
    manifest = snapshot.Manifest.from_bytes((where / "manifest").read_bytes())
    found = snapshot.load(manifest, chunks, namespace)
    namespace.update({k[8:]: v for k, v in found.items() if k.startswith("globals/")})
    namespace["flow_stub"] = stub
    continuation = found["state/continuation"].with_locals(found)
    print(continuation.resume(namespace=namespace, value=stop_at * 10))
"""


def drive(where: Path, stop_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(where), str(stop_at)], capture_output=True, text=True, cwd=where
    )


def test_a_flow_goes_on_in_another_process(tmp_path: Path) -> None:
    results = set()
    for stop_at in (1, 2, 3, 0):
        where = tmp_path / str(stop_at)
        where.mkdir()
        (where / "flow.py").write_text(FLOW)
        first = drive(where, stop_at)
        if stop_at:
            assert first.returncode == 7, first.stderr
            first = drive(where, stop_at)
            stored = b"".join(path.read_bytes() for path in (where / "chunks").rglob("*") if path.is_file())
            assert b"co_code" not in stored
        assert first.returncode == 0, first.stderr
        results.add(first.stdout)
    assert results == {"(5, 66, 6, True)\n"}


def test_functions_of_units_bring_their_source() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    unit = resumable.compile_unit("def double(value):\n    return value * 2\n", "cell 1")
    exec(unit.code, namespace)
    chunks = snapshot.MemoryChunks()
    manifest = snapshot.save({"globals/double": namespace["double"]}, chunks, namespace)
    assert [one.digest for one in manifest.body.units] == [unit.digest]
    live: dict[str, Any] = {"__name__": "__main__"}
    loaded = snapshot.load(manifest, chunks, live)["globals/double"]
    assert loaded(4) == 8
    assert loaded.__globals__ is live
    again = snapshot.save({"globals/double": loaded}, chunks, live, manifest)
    assert [one.digest for one in again.body.units] == [unit.digest]


def test_an_input_may_be_of_a_class_of_the_parent() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    unit = resumable.compile_unit("class Job:\n    def __init__(self):\n        self.id = 4\n", "cell 1")
    exec(unit.code, namespace)
    chunks = snapshot.MemoryChunks()
    value = snapshot.encode_value(namespace["Job"](), chunks)
    assert value.type == "Job"
    assert snapshot.decode_value(value, chunks).id == 4
