"""Savepoints in the midst of code, by version of the rules: `python -m tests.museum.rules` makes them.

Run it once for each new version of the rules (`jupyter_flows.resumable.units.RULES`) and commit what it
writes. Exhibits are never made again: every later version must go on from them.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

from jupyter_flows import resumable, snapshot
from jupyter_flows.resumable import units

from . import shapes
from .make import HERE, KEY

#: Every call of `point` is a savepoint.
SOURCE = '''
import contextlib

class Price:
    """Its operators and properties make savepoints too."""
    def __init__(self, amount):
        self.amount = point(amount)
    def __add__(self, other):
        return Price(self.amount + point(other.amount))
    @property
    def text(self):
        return f"{self.amount} {point('EUR')}"

def numbers(count):
    for number in range(count):
        yield point(number)

@contextlib.contextmanager
def opened(name):
    log.append(f"open {point(name)}")
    try:
        yield name
    finally:
        log.append(f"close {point(name)}")

def careful(value):
    try:
        if point(value) == 2:
            raise ValueError(value)
        return value
    except ValueError as error:
        log.append(str(point(error.args[0])))
        return -1
    finally:
        log.append(point("finally"))

def counter():
    count = 0
    def add(step):
        nonlocal count
        count = count + point(step)
        return count
    return add, lambda: count

def handler():
    add, read = counter()
    half = numbers(3)
    next(half)
    with opened("a") as name, opened("b"):
        for key, value in {"x": 1, "y": 2}.items():
            log.append((name, key, careful(value), add(value) + add(point(1))))
    squares = [point(n) ** 2 for n in (2, 3) if n > point(1)]
    total = Price(1) + Price(2)
    while (left := next(half, None)) is not None:
        log.append(left)
    return [*squares, total.text, read(), *half]

log = []
print(point("begin"), handler())
print(log)
'''

_on_call: Any = None


def point(value: Any) -> Any:
    if _on_call is not None:
        _on_call(resumable.capture(sys._getframe(1), point), value)
    return value


def main() -> None:
    """Save at every call, each savepoint after the one before, as a kernel does."""
    global _on_call
    os.environ["JUPYTER_FLOWS_KEY"] = KEY
    where = HERE / f"rules-{units.RULES}.zip"
    shapes.write()
    if where.exists():
        sys.exit(f"{where} exists: exhibits are never made again")
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}
    chunks = snapshot.MemoryChunks()
    manifests: list[snapshot.Manifest] = []

    def keep(continuation: resumable.Continuation, value: Any) -> None:
        assert continuation.exact, continuation.inexact_reason
        variables = {name: one for name, one in namespace.items() if not name.startswith((".", "__"))}
        objects = {f"globals/{name}": one for name, one in variables.items() if name != "point"}
        objects |= {**continuation.locals(), "state/continuation": continuation, "state/value": value}
        previous = manifests[-1] if manifests else None
        manifests.append(snapshot.save(objects, chunks, namespace, previous))

    _on_call = keep
    exec(resumable.compile_unit(SOURCE, "museum.py").code, namespace)
    _on_call = None
    with zipfile.ZipFile(where, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, manifest in enumerate(manifests):
            archive.writestr(f"savepoint-{number:02}", manifest.to_bytes())
        for name, data in chunks.kept.items():
            archive.writestr(f"chunks/{name}", data)


def printed_by() -> tuple[str, int]:
    """What the program prints in plain Python, and how many calls of `point` it makes."""
    calls: list[Any] = []
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(SOURCE, {"__name__": "__main__", "point": lambda value: calls.append(value) or value})
    return printed.getvalue(), len(calls)


def opened(exhibit: Path) -> tuple[list[bytes], snapshot.MemoryChunks]:
    """The manifests of an exhibit, in the order of the program's calls, and the chunks of all."""
    chunks = snapshot.MemoryChunks()
    with zipfile.ZipFile(exhibit) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    chunks.kept = {name.removeprefix("chunks/"): kept[name] for name in kept if name.startswith("chunks/")}
    return [kept[name] for name in sorted(kept) if name.startswith("savepoint-")], chunks


def gone_on(manifest: bytes, chunks: snapshot.MemoryChunks) -> str:
    """What a savepoint's program prints from there on. The key must be the museum's."""
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point}
    objects = snapshot.load(snapshot.Manifest.from_bytes(manifest), chunks, namespace)
    names = {name: one for name, one in objects.items() if name.startswith("globals/")}
    namespace.update({name.removeprefix("globals/"): one for name, one in names.items()})
    continuation = objects["state/continuation"].with_locals(objects)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        continuation.resume(namespace=namespace, value=objects["state/value"])
    return printed.getvalue()


if __name__ == "__main__":
    main()
